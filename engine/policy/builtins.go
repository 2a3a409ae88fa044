package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// allowed is every builtin that policies may call: pure functions of their
// arguments that reach no network, clock, environment, chance, time zone or key.
// Some of them do not end when they are told to: what that costs is bounded from
// outside. What OPA adds later is not in it.
const allowed = `
eq assign equal neq lt lte gt gte plus minus mul div rem abs ceil floor round
internal.member_2 internal.member_3 internal.template_string
bits.and bits.or bits.xor bits.negate bits.lsh bits.rsh numbers.range numbers.range_step
and or intersection union
count sum product max min sort
array.concat array.flatten array.reverse array.slice
object.filter object.get object.keys object.remove object.subset object.union object.union_n
json.filter json.remove
concat contains endswith startswith format_int indexof indexof_n lower upper replace split sprintf
strings.any_prefix_match strings.any_suffix_match strings.count strings.reverse
substring trim trim_left trim_prefix trim_right trim_space trim_suffix
regex.is_valid regex.match regex.split regex.replace regex.find_n glob.match
to_number type_name is_array is_boolean is_null is_number is_object is_set is_string
time.parse_rfc3339_ns time.parse_duration_ns time.date time.clock time.weekday
semver.compare semver.is_valid units.parse units.parse_bytes
base64.decode base64.is_valid base64url.decode hex.decode json.unmarshal json.is_valid
net.cidr_contains net.cidr_is_valid
graph.reachable walk
rego.metadata.chain rego.metadata.rule
`

// takenAway says why, for the builtins that people are likely to miss.
var takenAway = map[string]string{
	"http.send":            "nothing of the network reaches a policy; put what it must know into labels or attributes",
	"net.lookup_ip_addr":   "nothing of the network reaches a policy",
	"opa.runtime":          "nothing of the environment reaches a policy",
	"time.now_ns":          "the clock does not reach policies, so that a plan is judged alike each time; in remint.approval use input.now",
	"time.parse_ns":        "it depends on the machine's time zone; use time.parse_rfc3339_ns",
	"time.format":          "it depends on the machine's time zones; use time.date and sprintf",
	"rand.intn":            "the same input must be answered alike each time",
	"uuid.rfc4122":         "the same input must be answered alike each time",
	"io.jwt.decode":        "no token ever reaches a policy",
	"io.jwt.decode_verify": "no token ever reaches a policy",
}

// capabilities is the closed list as OPA wants it.
func capabilities(extra ...string) *ast.Capabilities {
	names := append(strings.Fields(allowed), extra...)
	all := ast.CapabilitiesForThisVersion()
	caps := &ast.Capabilities{
		Features: []string{ast.FeatureRegoV1, ast.FeatureKeywordsInRefs, ast.FeatureTemplateStrings},
		AllowNet: []string{},
	}
	for _, b := range all.Builtins {
		if !slices.Contains(names, b.Name) {
			continue
		}
		switch b.Name {
		case "time.date", "time.clock", "time.weekday": // UTC only: zones come from the machine
			c := *b
			c.Decl = types.NewFunction(types.Args(types.N), b.Decl.Result())
			b = &c
		}
		caps.Builtins = append(caps.Builtins, b)
	}
	return caps
}

// Capabilities is what policies may call, as a JSON document that `opa check
// --capabilities` and editors read.
func Capabilities() []byte {
	b, err := json.MarshalIndent(capabilities(), "", "  ")
	if err != nil {
		panic(err) // names and types only; a test calls it
	}
	return append(b, '\n')
}

func cutUndefinedFunction(msg string) (string, bool) {
	return strings.CutPrefix(msg, "undefined function ")
}

func isBuiltin(name string) bool { return ast.BuiltinMap[name] != nil }
