package policy

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

const good = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"denied\"\n"

func source(files map[string]string) Source {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Source{Name: "house", FS: m, Enforcement: Mandatory, Path: "policies"}
}

func one(text string) map[string]string { return map[string]string{"a.rego": text} }

func anInput() *Input {
	return &Input{Version: InputVersion, Stage: StagePlan, Reason: "scheduled", Mode: "cutover", Trust: plan.SelfAsserted,
		Resets: []Reset{{Address: "credential.t.a", Production: true}, {Address: "credential.t.b"}}}
}

// Each of these folders looks as if it judged and would not, or cannot be
// understood. None of them compiles.
func TestFailsClosedWhenCompiled(t *testing.T) {
	deep := func(open, end string, n int) string {
		return "package remint.plan\ndeny contains x if { x := " + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + "}\n"
	}
	rule := func(body string) map[string]string {
		return one("package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t" + body + "\n}\n")
	}
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"empty folder":              {nil, "never say anything"},
		"empty file":                {one(""), "a.rego"},
		"comment only":              {one("# nothing\n"), "a.rego"},
		"package only":              {one("package remint.plan\n"), "never say anything"},
		"only helpers":              {one("package helpers\nf(x) := x\n"), "never say anything"},
		"syntax":                    {one("package remint.plan\ndeny contains {"), "Policy does not parse"},
		"rego v0":                   {one("package remint.plan\ndeny[x] { x := 1 }\n"), "Policy does not parse"},
		"misspelt rule":             {one(good + "dney contains {\"id\": \"b\", \"msg\": \"m\"} if true\n"), "Did you mean deny?"},
		"misspelt rule alone":       {one("package remint.plan\nwran contains {\"id\": \"b\", \"msg\": \"m\"} if true\n"), "never say anything"},
		"unused helper":             {one(good + "helper := 1\n"), "rule helper is none of deny, warn and require"},
		"test outside test file":    {one(good + "test_a if true\n"), "NAME_test.rego"},
		"misspelt package":          {map[string]string{"a.rego": good, "b.rego": strings.Replace(good, "remint.plan", "remint.paln", 1)}, "Did you mean remint.plan?"},
		"unknown package":           {map[string]string{"a.rego": good, "b.rego": "package remint.plan.extra\nx := 1\n"}, "not a package that is asked"},
		"package remint":            {one("package remint\nplan.deny contains {\"id\": \"b\", \"msg\": \"m\"} if true\n"), "not a package that is asked"},
		"dotted element":            {one("package remint[\"plan.deny\"]\nx := 1\n"), "not a package that is asked"},
		"test package elsewhere":    {map[string]string{"a.rego": good, "b.rego": "package remint.plan_test\ntest_a if true\n"}, "NAME_test.rego"},
		"deny in another package":   {map[string]string{"a.rego": good, "b.rego": strings.Replace(good, "remint.plan", "main", 1)}, "never asked"},
		"deny in a test file":       {map[string]string{"a.rego": good, "latest_test.rego": good}, "stands in a test file"},
		"misspelt in a test file":   {map[string]string{"a.rego": good, "a_test.rego": "package remint.plan\ndney contains 1 if true\n"}, "stands in a test file"},
		"broken test file":          {map[string]string{"a.rego": good, "a_test.rego": "package"}, "a_test.rego"},
		"deny is a value":           {one("package remint.plan\ndeny := {\"id\": \"a\"}\n"), "must be a partial set"},
		"deny is a function":        {one("package remint.plan\ndeny(x) := x\n"), "must be a partial set"},
		"deny is an object":         {one("package remint.plan\ndeny.a contains 1 if true\n"), "must be a partial set"},
		"deny has a default":        {one("package remint.plan\ndefault deny := set()\n"), "a.rego"},
		"unknown input":             {rule("input.tikcet == \"\""), "undefined ref: input.tikcet"},
		"unknown member of a reset": {rule("some r in input.resets; r.prodction"), "undefined ref"},
		"member of a later stage":   {rule("count(input.approvals) == 0"), "does not exist in remint.plan"},
		"data of nobody":            {rule("data.allowed[input.ticket]"), "no rule of this policy defines it"},
		"another source's rules":    {rule("data.remint.result.deny"), "no rule of this policy defines it"},
		"mocking":                   {one(good + "warn contains {\"id\": \"b\", \"msg\": \"m\"} if count(deny) == 0 with input as {}\n"), "`with` is for tests"},
		"input redefined":           {one("package remint.plan\ninput := {}\n" + "deny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"\"\n"), "a.rego"},
		"http":                      {rule(`http.send({"method": "get", "url": "http://127.0.0.1"}).status_code == 200`), "nothing of the network"},
		"lookup":                    {rule(`net.lookup_ip_addr("localhost")`), "nothing of the network"},
		"environment":               {rule(`opa.runtime().env.HOME`), "nothing of the environment"},
		"clock":                     {rule(`time.now_ns() > 1`), "use input.now"},
		"machine's time zone":       {rule(`time.weekday([1, "Local"]) == "Monday"`), "time.weekday"},
		"chance":                    {rule(`rand.intn("x", 2) == 1`), "alike each time"},
		"uuid":                      {rule(`uuid.rfc4122("x") != ""`), "alike each time"},
		"remote schema":             {rule(`json.match_schema({}, {"$ref": "http://127.0.0.1/x"})[0]`), "is not available to policies"},
		"token":                     {rule(`io.jwt.decode("x")`), "no token"},
		"unknown function":          {rule(`frobnicate(1)`), "undefined function frobnicate"},
		"recursion":                 {one("package remint.plan\na if b\nb if a\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if a\n"), "recursive"},
		"unsafe variable":           {rule("x == 1"), "unsafe"},
		"brackets":                  {one(deep("[", "]", 60_000)), "brackets stand in each other"},
		"parentheses":               {one(deep("(", ")", 60_000)), "brackets stand in each other"},
		"braces":                    {one(deep("{", "}", 60_000)), "brackets stand in each other"},
		"calls":                     {one(deep("f(", ")", 60_000)), "brackets stand in each other"},
		"template strings":          {one(deep("$\"{", "}\"", 30_000)), "brackets stand in each other"},
		"closers in strings":        {one(deep("[\")]}\", ", "]", 20_000)), "brackets stand in each other"},
		"closers in comments":       {one(deep("[ # ]\n", "]", 20_000)), "brackets stand in each other"},
		"operators":                 {one(deep("1 + ", "", 50_000)), "terms deep"},
		"comparisons":               {one(deep("1 == ", "", 40_000)), "Policy does not"},
		"else":                      {one("package remint.plan\na := 1 if false\n" + strings.Repeat("else := 2 if false\n", 5000) + "deny contains a if true\n"), "terms deep"},
		"NUL":                       {one(good + "\x00"), "not UTF-8"},
		"invalid UTF-8":             {one(good + "# \xff"), "not UTF-8"},
		"too large":                 {one(good + "#" + strings.Repeat("x", maxFileSize)), "larger than"},
		"data file":                 {map[string]string{"a.rego": good, "data.json": "{}"}, "data files are not read"},
		"data file in YAML":         {map[string]string{"a.rego": good, "x/data.yml": "a: 1"}, "data files are not read"},
		"other file":                {map[string]string{"a.rego": good, "b.rego.bak": good}, "holds .rego and .md files only"},
		"capitals":                  {map[string]string{"a.rego": good, "B.REGO": good}, "in lower case"},
		"hidden folder":             {map[string]string{"a.rego": good, ".prod/deny.rego": good}, "a folder whose name begins with a dot"},
		"hidden folder, capitals":   {map[string]string{"a.rego": good, "x/.prod/y/DENY.REGO": good}, "a folder whose name begins with a dot"},
		"hidden":                    {map[string]string{"a.rego": good, ".b.rego": good}, "without a dot in front"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			// The race detector takes as much again, so that the ordinary bound would be met first.
			set, diags := Options{Limits: Limits{Memory: 1 << 30}}.Compile(context.Background(), []Source{source(tc.files)})
			if set != nil || diags.Exit() != diag.ExitDenied {
				t.Fatalf("compiled, or exit %v: %v", diags.Exit(), diags.Err())
			}
			if got := diags.Err().Error(); !strings.Contains(got, tc.want) || !strings.Contains(got, "house") {
				t.Errorf("got %s\nwant %q in it", got, tc.want)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			if diff := cmp.Diff(diags, hereSays(t, source(tc.files), anInput())); diff != "" {
				t.Errorf("judged in this process, it says something else:\n%s", diff)
			}
		})
	}
}

// hereSays is what is wrong with a source that is judged in this process.
func hereSays(t *testing.T, src Source, in *Input) diag.Diagnostics {
	t.Helper()
	src.Known = true
	set, diags := Options{Limits: Limits{Time: 2 * time.Second}}.Compile(context.Background(), []Source{src})
	if !diags.HasErrors() {
		_, diags = set.Eval(context.Background(), in)
	}
	return diags
}

func TestLinksAreNotFollowed(t *testing.T) {
	src := source(one(good))
	src.FS.(fstest.MapFS)["b.rego"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/etc/passwd")}
	if _, diags := Compile(context.Background(), []Source{src}); !strings.Contains(diags.Err().Error(), "not a regular file") {
		t.Error(diags.Err())
	}
}

func TestSourcesAreChecked(t *testing.T) {
	a := source(one(good))
	unnamed, odd := a, a
	unnamed.Name, odd.Enforcement = "", "optional"
	for want, list := range map[string][]Source{
		"no policy source": {}, "used twice": {a, a}, "needs a name": {unnamed}, "must be mandatory": {odd},
	} {
		if _, diags := Compile(context.Background(), list); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), want) {
			t.Errorf("want %q, got %v", want, diags.Err())
		}
	}
}

// What compiles and then says something that cannot be understood, or nothing
// within its bounds, denies.
func TestFailsClosedWhenAsked(t *testing.T) {
	deny := func(object string) string {
		return "package remint.plan\ndeny contains x if x := " + object + "\n"
	}
	require := func(object string) string {
		return "package remint.plan\nrequire contains x if x := " + object + "\n"
	}
	for name, tc := range map[string]struct{ text, want string }{
		"string":              {deny(`"no"`), "must be an object"},
		"no id":               {deny(`{"msg": "m"}`), "has no id"},
		"no msg":              {deny(`{"id": "a"}`), "has no msg"},
		"empty msg":           {deny(`{"id": "a", "msg": " "}`), "msg is"},
		"number as msg":       {deny(`{"id": "a", "msg": 1}`), "msg is 1"},
		"unknown member":      {deny(`{"id": "a", "msg": "m", "place": "x"}`), `unknown member "place"`},
		"number as member":    {deny(`{"id": "a", "msg": "m", 1: "x"}`), "no string"},
		"foreign address":     {deny(`{"id": "a", "msg": "m", "address": "credential.t.z"}`), "none of the plan's"},
		"empty address":       {deny(`{"id": "a", "msg": "m", "address": ""}`), "address is"},
		"step of no reset":    {deny(`{"id": "a", "msg": "m", "step": "revoke.old"}`), "a step goes with the address"},
		"step that is none":   {deny(`{"id": "a", "msg": "m", "address": "credential.t.a", "step": "revoke.odl"}`), `the step "revoke.odl" is none of those of credential.t.a`},
		"number as step":      {deny(`{"id": "a", "msg": "m", "address": "credential.t.a", "step": 1}`), "step is"},
		"controls":            {deny(`{"id": "a", "msg": "m", "controls": "x"}`), "controls is"},
		"null":                {deny(`null`), "must be an object"},
		"nothing required":    {require(`{}`), `either "approvals" or "strength"`},
		"both required":       {require(`{"approvals": 1, "strength": "aal1"}`), `either "approvals" or "strength"`},
		"no approvals":        {require(`{"approvals": 0}`), "integer from 1"},
		"negative approvals":  {require(`{"approvals": -1}`), "integer from 1"},
		"half an approval":    {require(`{"approvals": 1.5}`), "integer from 1"},
		"approvals as string": {require(`{"approvals": "2"}`), "integer from 1"},
		"too many approvals":  {require(`{"approvals": 1e30}`), "integer from 1"},
		"unknown strength":    {require(`{"strength": "aal9"}`), "strength is"},
		"strength and group":  {require(`{"strength": "aal2", "group": "g"}`), "unknown member"},
		"group":               {require(`{"approvals": 1, "group": 3}`), "group is 3"},
		"required of nobody":  {require(`{"approvals": 1, "address": "x"}`), "none of the plan's"},
		"builtin error":       {deny(`{"id": "a", "msg": "m", "controls": [to_number(input.ticket)]}`), "could not be evaluated"},
		"division by zero":    {deny(`{"id": "a", "msg": sprintf("%v", [1 / count(input.ticket)])}`), "divide by zero"},
		"conflict":            {"package remint.plan\na := 1 if input.ticket == \"\"\na := 2 if input.mode == \"cutover\"\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if a == 3\n", "could not be evaluated"},
		"endless":             {"package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tx := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n\tx[a] + x[b] + x[c] + x[d] + x[e] + x[f] + x[g] + x[h] + x[i] == -1\n}\n", "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			set, diags := Options{Limits: Limits{Time: 2 * time.Second}}.Compile(context.Background(), []Source{source(one(tc.text))})
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			defer set.Close()
			_, diags = set.Eval(context.Background(), anInput())
			if diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), tc.want) || !strings.Contains(diags.Err().Error(), "house") {
				t.Errorf("exit %v, got %v\nwant %q in it", diags.Exit(), diags.Err(), tc.want)
			}
			if diff := cmp.Diff(diags, hereSays(t, source(one(tc.text)), anInput())); diff != "" {
				t.Errorf("judged in this process, it says something else:\n%s", diff)
			}
		})
	}
}

// "Nobody approved" is sayable: the members of a stage are there when empty.
func TestEmptyMembersAreThere(t *testing.T) {
	text := `package remint.approval
deny contains {"id": "a", "msg": "m"} if count(input.approvals) < 1
deny contains {"id": "v", "msg": "m"} if input.verification.strength != "aal2"
deny contains {"id": "o", "msg": "m"} if input.operator == ""
deny contains {"id": "u", "msg": "m"} if input.unattended == false
`
	later := strings.Replace(text, ".approval", ".result", 1)
	for stage, sources := range map[Stage][]Source{StageApproval: {source(one(text)), here(source(one(text)))}, StageResult: {source(one(later)), here(source(one(later)))}} {
		in := anInput()
		in.Stage = stage
		for _, src := range sources {
			if v := ask(t, compileAll(t, src), in); len(v.Decisions) != 4 {
				t.Error(v)
			}
		}
	}
}
