# How much a proof of death is worth.
package proof

weight := {"tested": 2, "reported": 1}

# short holds when found is less than what is wanted. What is no proof at all is
# refused by the baseline already.
short(found, wanted) if weight[found] < weight[wanted]
