//go:build linux && !race

package main

import "testing"

// badPolicies are Rego that nobody means well with. Each denies, says which
// policy and which bound, and takes neither the time nor the memory that it asks for.
func badPolicies() []badRow {
	const unasked = "What cannot be evaluated denies."
	var rows []badRow
	rego := func(name, text, says string) {
		rows = append(rows, badRow{
			name: "policy: " + name, args: []string{"plan", "-all"}, exit: 3, says: says,
			make: func(t *testing.T, b *bad) {
				b.write(t, "policy.remint.hcl", `policy "house" { path = "policies" }`)
				b.write(t, "policies/house.rego", "package remint.plan\n"+text+"\n")
			},
		})
	}
	rule := func(name, body, says string) {
		rego(name, "deny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t"+body+"\n}", says)
	}
	rule("a shift by a billion", `bits.lsh(1, 1000000000) == 7`, unasked)
	rule("a shift of a shift", `bits.lsh(bits.lsh(1, 100000000), 100000000) == 7`, unasked)
	rule("a range of a billion", `count(numbers.range(1, 1000000000)) == 7`, unasked)
	rule("a comprehension of 27 billion", `r := numbers.range(1, 3000); count({[a, b, c] | some a in r; some b in r; some c in r}) == 7`, unasked)
	rule("a loop of 27 billion", `r := numbers.range(1, 3000); some a in r; some b in r; some c in r; a * b * c == -1`, "it took too long (more than 3.002s)")
	rule("a string that doubles", `a := concat("", ["xxxxxxxxxxxxxxxx" | some i in numbers.range(1, 100000)]); replace(a, "x", a) == "x"`, unasked)
	rule("a number of a billion digits", `to_number("1e1000000000") % 7 == 3`, unasked)
	rule("a pattern of a million alternatives", `glob.match(concat("", ["{a," | some i in numbers.range(1, 1000000)]), [], "a")`, unasked)
	rule("a pattern of a million states", `regex.match(concat("", ["(a?){1000}" | some i in numbers.range(1, 1000)]), "aaaa")`, unasked)
	rule("data nested five million deep", `json.unmarshal(concat("", ["[" | some i in numbers.range(1, 5000000)])) == 1`, unasked)
	rule("a walk over eight million", `r := numbers.range(1, 200); x := [[[a, b, c] | some c in r] | some a in r; some b in r]; some p, v; walk(x, [p, v]); v == "z"`, unasked)
	rule("a factorial of three million", `product(numbers.range(1, 3000000)) == 7`, unasked)
	rego("a hundred million warnings", "warn contains {\"id\": \"a\", \"msg\": sprintf(\"%d\", [i])} if some i in numbers.range(1, 100000000)", unasked)
	rego("a call to the network", "deny contains {\"id\": \"a\", \"msg\": \"m\"} if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200",
		"http.send is not available to policies: nothing of the network reaches a policy; put what it must know into labels or attributes")
	rows = append(rows, badRow{
		name: "policy: a helper of the library's, redefined", args: []string{"plan", "-all"}, exit: 3, says: "the package credentials is the built-in library's",
		make: func(t *testing.T, b *bad) {
			b.write(t, "policy.remint.hcl", `policy "house" { path = "policies" }`)
			b.write(t, "policies/house.rego", "package credentials\n\nprivileged(_) if false\n")
		},
	})
	for _, folder := range []string{".prod", "sub/.prod", ".prod/sub"} {
		rows = append(rows, badRow{
			name: "policy: Rego in a hidden folder, " + folder, args: []string{"plan", "-all"}, exit: 3, says: "a folder whose name begins with a dot",
			make: func(t *testing.T, b *bad) {
				b.write(t, "policy.remint.hcl", `policy "house" { path = "policies" }`)
				for _, name := range []string{"house", folder + "/deny"} {
					b.write(t, "policies/"+name+".rego", "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"denied\"\n")
				}
			},
		})
	}
	rego("more warnings than resets", "warn contains {\"id\": \"a\", \"msg\": sprintf(\"%d\", [i])} if some i in numbers.range(1, 20000)", "it has 20000 members")
	return rows
}
