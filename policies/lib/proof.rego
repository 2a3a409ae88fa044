# How much a proof of death is worth.
package proof

weight := {"tested": 2, "reported": 1}

# short holds when found is less than what is wanted; whatever is not known is nothing.
short(found, wanted) if object.get(weight, found, 0) < weight[wanted]
