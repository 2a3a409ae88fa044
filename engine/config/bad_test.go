package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/config"
)

const site = "provider \"htpasswd\" \"site\" { file = \"site.htpasswd\" }\n"

// user is a credential with more lines in it.
func user(name, lines string) string {
	return site + "credential \"htpasswd_user\" \"" + name + "\" {\n  provider = htpasswd.site\n  user = \"u\"\n" + lines + "\n}\n"
}

// bombs are texts that must be refused quickly, in little memory, with these words.
var bombs = map[string]struct{ text, want string }{
	"parentheses":         {"locals { a = " + strings.Repeat("(", 100_000), "Nested too deeply"},
	"brackets":            {"locals { a = " + strings.Repeat("[", 100_000), "Nested too deeply"},
	"braces":              {"locals { a = " + strings.Repeat("{a=", 100_000), "Nested too deeply"},
	"blocks":              {strings.Repeat("a {\n", 100_000), "Nested too deeply"},
	"templates":           {"locals { a = " + strings.Repeat(`"${`, 100_000), "Nested too deeply"},
	"negation":            {"locals { a = " + strings.Repeat("-", 100_000) + "1 }", "Too many operators"},
	"not":                 {"locals { a = " + strings.Repeat("!", 100_000) + "true }", "Too many operators"},
	"conditions":          {"locals { a = " + strings.Repeat("true ? 1 : ", 100_000) + "1 }", "Too many operators"},
	"sums":                {"locals { a = " + strings.Repeat("1+", 100_000) + "1 }", "Too many operators"},
	"splats":              {"locals { a = [1]" + strings.Repeat("[*]", 100_000) + " }", "Too many operators"},
	"if directives":       {"locals { a = \"" + strings.Repeat("%{ if true }", 100_000) + "\" }", "Too many operators"},
	"large number":        {`locals { a = "${1e10000000}" }`, "The number is out of range"},
	"computed number":     {"locals { a = \"${" + strings.Repeat("1e300*", 500) + "1}\" }", "Too much to evaluate"},
	"number from JSON":    {`locals { a = "${jsondecode("1e10000000")}" }`, "A function"},
	"number from text":    {`locals { a = "${tonumber("1e10000000")}" }`, "Too much to evaluate"},
	"deep JSON":           {`locals { a = jsondecode("` + strings.Repeat("[", 1_000_000) + `") }`, "A function"},
	"product":             {`locals { a = setproduct(range(1024), range(1024)) }`, "A function"},
	"nested for":          {`locals { a = [for a in range(1024): [for b in range(1024): [for c in range(1024): c]]] }`, "Too much to evaluate"},
	"for that counts":     {`locals { a = [for a in range(1024): length([for b in range(1024): length([for c in range(1024): c])])] }`, "Too much to evaluate"},
	"wide format":         {`locals { a = format("%0999999999d", 1) }`, "A function"},
	"doubling lists":      {"locals {\n a0 = range(1024)\n" + doubling("a%d = [local.a%d, local.a%d]\n") + "}", "Too much to evaluate"},
	"doubling texts":      {"locals {\n a0 = \"" + strings.Repeat("x", 1024) + "\"\n" + doubling("a%d = \"${local.a%d}${local.a%d}\"\n") + "}", "Too much to evaluate"},
	"repetition":          {`locals { a = regex("(?:a?){1000}b", join("", [for i in range(1024): "` + strings.Repeat("a", 1000) + `"])) }`, "A function"},
	"groups":              {`locals { a = regex("(?:` + strings.Repeat("(a?)", 150) + `){20}b", join("", [for i in range(100): "` + strings.Repeat("a", 1000) + `"])) }`, "A function"},
	"a long pattern":      {`locals { a = regex("` + strings.Repeat("(?:aaaaaaaa){1000}", 50) + `", "") }`, "A function"},
	"trimming":            {`locals { a = trim(join("", [for i in range(1024): "` + strings.Repeat("ab", 500) + `"]), join("", [for i in range(1024): "` + strings.Repeat("é", 500) + `"])) }`, "A function"},
	"a long value":        {`locals { a = contains([for i in range(1024): [i]], [for i in range(1024): range(8)]) }`, "A function"},
	"comparing nests":     {"locals {\n a = [for i in range(1024): " + strings.Repeat("[", 90) + "range(10)" + strings.Repeat("]", 90) + "]\n b = local.a == local.a\n}", "Too much to evaluate"},
	"digits":              {`locals { a = join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"]) + 1 }`, "Too much to evaluate"},
	"a text of digits":    {`locals { a = "` + strings.Repeat("7", 1_000_000) + `" + 1 }`, "Too much to evaluate"},
	"digits, converted":   {`locals { a = tonumber(join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"])) }`, "A function"},
	"digits, an argument": {`locals { a = abs(join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"])) }`, "A function"},
	"digits, parsed":      {`locals { a = parseint(join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"]), 10) }`, "A function"},
	"digits, formatted":   {`locals { a = format("%d", join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"])) }`, "A function"},
	"digits in JSON":      {`locals { a = jsondecode(join("", [for i in range(1024): "` + strings.Repeat("7", 1000) + `"])) }`, "A function"},
	"digits for a type":   {"variable \"v\" {\n type = list(number)\n default = [\"" + strings.Repeat("7", 1_000_000) + "\"]\n}", "A value does not fit"},
	"many long texts":     {`locals { a = formatlist("%s` + strings.Repeat("x", 100_000) + `", [for i in range(1024): "y"]) }`, "A function"},
	"one text for many":   {`locals { a = formatlist("%s%s", [for i in range(1024): "y"], "` + strings.Repeat("x", 100_000) + `") }`, "A function"},
	"products of lists":   {`locals { a = setproduct([for i in range(500): range(500)], [for i in range(500): range(500)]) }`, "A function"},
	"unions":              {`locals { a = setunion([for i in flatten([for i in range(5): range(1000)]): toset([i])]...) }`, "A function"},
	"replacing nothing":   {`locals { a = replace(join("", [for i in range(1024): "` + strings.Repeat("x", 1000) + `"]), "", "` + strings.Repeat("y", 1000) + `") }`, "A function"},
	"NUL":                 {"locals { a = \"\x00\" }", "Not plain text"},
	"invalid UTF-8":       {"locals { a = \"\xff\" }", "Not plain text"},
	"byte order mark":     {"\xef\xbb\xbflocals {}", "Not plain text"},
	"UTF-16":              {"\xff\xfel\x00", "Not plain text"},
	"carriage return":     {"locals {\r a = 1 }", "Not plain text"},
	"look-alike":          {"loc\u0430ls {}", "A letter that could deceive"},
	"look-alike label":    {"variable \"\u0430\" {}", "Not a name"},
	"words":               {"locals { a = [" + strings.Repeat("1,", 700_000) + "1] }", "The workspace is too large"},
	"a clock":             {`locals { a = timestamp() }`, "There is no such function"},
	"the environment":     {`locals { a = env("HOME") }`, "There is no such function"},
	"a file outside":      {`locals { a = file("../../etc/passwd") }`, "A function"},
	"a private key":       {`locals { a = file("keys/evidence.pem") }`, "A function"},
	"the state":           {`locals { a = file(".remint/state.db") }`, "A function"},
	"locals in circles":   {"locals {\n a = local.b\n b = local.c\n c = local.a\n}", "Locals in a circle"},
}

func doubling(line string) string {
	var b strings.Builder
	for i := 1; i < 60; i++ {
		s := strings.Replace(line, "%d", itoa(i), 1)
		b.WriteString(strings.ReplaceAll(s, "%d", itoa(i-1)))
	}
	return b.String()
}

func itoa(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

func init() { // a00 is what the chain begins with
	for _, k := range []string{"doubling lists", "doubling texts"} {
		b := bombs[k]
		b.text = strings.Replace(b.text, " a0 =", " a00 =", 1)
		bombs[k] = b
	}
}

func TestBombs(t *testing.T) {
	for name, b := range bombs {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			o := options(workspace(t, map[string]string{"main.remint.hcl": b.text}))
			o.Vars = nil
			_, diags := config.Load(o)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			t.Logf("%v, %d MB allocated", took, (after.TotalAlloc-before.TotalAlloc)>>20)
			if !diags.HasErrors() || !strings.HasPrefix(diags[0].Summary, b.want) {
				t.Fatalf("want %q, got %.500s", b.want, diags.Err())
			}
			if diags[0].Range == nil || diags[0].Detail == "" {
				t.Errorf("no place or no remedy: %+v", diags[0])
			}
		})
	}
}

func TestLargeFile(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "main.remint.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(65 << 20); err != nil {
		t.Fatal(err)
	}
	if _, diags := config.Load(options(dir)); !diags.HasErrors() || !strings.Contains(diags[0].Detail, "4 MB") {
		t.Error(diags)
	}
}

// Each row is one fault in an otherwise good workspace.
func TestFaults(t *testing.T) {
	for name, row := range map[string]struct{ text, summary, detail string }{
		"unknown attribute":   {user("a", `onwer = "x"`), "Unknown attribute", `Did you mean "owner"?`},
		"unknown type":        {`credential "htpaswd_user" "a" {}`, "There is no such credential type", `Did you mean "htpasswd_user"?`},
		"unknown block":       {`checker "x" {}`, "There is no such block", ""},
		"missing provider":    {"credential \"htpasswd_user\" \"a\" {\n user = \"u\"\n}", "No provider", "provider = htpasswd.NAME"},
		"wrong type":          {user("a", `labels = ["x"]`), "A value does not fit", "a map of strings"},
		"bad duration":        {user("a", `max_age = "30d"`), "Not a duration that can be used", `"720h"`},
		"no age":              {user("a", `max_age = "0s"`), "Not a duration that can be used", "longer than nothing"},
		"negative age":        {user("a", `max_age = "-1h"`), "Not a duration that can be used", "negative"},
		"required":            {site + "credential \"htpasswd_user\" \"a\" {\n provider = htpasswd.site\n}", "A required attribute is missing", "user"},
		"duplicate":           {user("a", "") + strings.TrimPrefix(user("a", ""), site), "Declared twice", "main.remint.hcl:2"},
		"self":                {user("a", "depends_on = [credential.htpasswd_user.a]"), "A circle", "credential.htpasswd_user.a → credential.htpasswd_user.a"},
		"list in for_each":    {user("a", `for_each = ["x"]`), "for_each does not fit", "toset"},
		"each without":        {user("a", `owner = each.key`), "There is no each here", "for_each"},
		"sensitive owner":     {"variable \"s\" {\n default = \"x\"\n sensitive = true\n}\n" + user("a", `owner = "a${var.s}"`), "A sensitive value where none may be", "owner"},
		"sensitive keys":      {"variable \"s\" {\n default = \"x\"\n sensitive = true\n}\n" + user("a", `for_each = toset([var.s])`), "A sensitive for_each", "addresses"},
		"no value":            {`variable "x" {}`, "A variable has no value", "REMINT_VAR_x"},
		"type of a default":   {"variable \"x\" {\n type = number\n default = \"a\"\n}", "A value does not fit", "number"},
		"another state":       {"remint {\n state \"redis\" {}\n}", "A state that does not exist", "postgresql"},
		"state without url":   {"remint {\n state \"postgresql\" {}\n}", "A required attribute is missing", "url"},
		"a block as a value":  {"library {\n parameters = {}\n}", "Unknown attribute", "It has a block parameters: write `parameters` and what is in it between braces"},
		"settings as a value": {"remint {\n decision_log = \"x\"\n}", "Unknown attribute", "It has a block decision_log"},
		"a store as a value":  {user("a", "store = {}"), "Unknown attribute", "It has a block store"},
		"a file's attribute":  {"remint {\n state \"postgresql\" {\n url = \"postgres://h/d\"\n path = \"x\"\n }\n}", "Unknown attribute", "path"},
		"a server's own":      {"remint {\n state \"postgresql\" {\n url = \"postgres://h/d\"\n schema = \"pg_temp\"\n }\n}", "A value does not fit", "schema"},
		"two states":          {"remint {\n state \"sqlite\" {}\n state \"postgresql\" { url = \"postgres://h/d\" }\n}", "Declared twice", "state"},
		"a sensitive path":    {"variable \"s\" {\n default = \"x\"\n sensitive = true\n}\nremint {\n state \"sqlite\" { path = var.s }\n}", "A sensitive value where none may be", "path"},
		"another version":     {"remint {\n required_version = \">= 2\"\n}", "Another version of remint is required", "0.1.0"},
		"private key":         {"approver \"a\" {\n public_key = \"-----BEGIN PRIVATE KEY-----\"\n}", "Not a public key", "private key"},
		"store outside":       {user("a", "store \"file\" \"x\" {\n path = \"../x\"\n}"), "A value does not fit", "inside the workspace"},
		"store in git":        {user("a", "store \"file\" \"x\" {\n path = \".Git/hooks/x\"\n}"), "A path that must not be written to", ".git"},
		"store in state":      {user("a", "store \"file\" \"x\" {\n path = \".remint/x\"\n}"), "A path that must not be written to", ".remint"},
		"store over source":   {user("a", "store \"file\" \"x\" {\n path = \"a.remint.hcl\"\n}"), "A path that must not be written to", "language"},
		"store over keys":     {user("a", "store \"file\" \"x\" {\n path = \"keys/evidence.pub\"\n}"), "A path that must not be written to", "key"},
		"store over policies": {"policy \"p\" { path = \"rules\" }\n" + user("a", "store \"file\" \"x\" {\n path = \"rules/x.rego\"\n}"), "A path that must not be written to", "policies"},
		"store over target":   {user("a", "store \"file\" \"x\" {\n path = \"site.htpasswd\"\n}"), "A path that must not be written to", "htpasswd.site"},
		"one key spelt twice": {user("a", "store \"file\" \"x\" {\n path = \"x\"\n format = \"json\"\n key = \"db.to\\\\ken.1\"\n}\nstore \"file\" \"y\" {\n path = \"x\"\n format = \"json\"\n key = \"db.token.01\"\n}"), "Two stores at one place", "credential.htpasswd_user.a"},
		"two stores":          {user("a", "store \"file\" \"x\" {\n path = \"x\"\n}\nstore \"file\" \"y\" {\n path = \"./x\"\n}"), "Two stores at one place", "credential.htpasswd_user.a"},
		"unknown field":       {user("a", "store \"file\" \"x\" {\n path = \"x\"\n field = \"private_key\"\n}"), "A store that this type cannot fill", "value"},
		"secret in text":      {"runbook \"b\" {\n resets = \"htpasswd_user\"\n issue \"p\" {}\n notify \"n\" { to = \"${issue.p}\" }\n}", "A secret where none may be", "`to`"},
		"field of a secret":   {"runbook \"b\" {\n resets = \"htpasswd_user\"\n issue \"p\" {}\n confirm \"c\" { secret = issue.p.value }\n}", "One field of a secret", "secret = issue.p;"},
		"unknown step":        {"runbook \"b\" {\n resets = \"htpasswd_user\"\n issue \"p\" {}\n confirm \"c\" { secret = issue.q }\n}", "Unknown step", "issue.p"},
		"two issue steps":     {"runbook \"b\" {\n resets = \"htpasswd_user\"\n issue \"p\" {}\n issue \"q\" {}\n}", "Two new secrets", "issue.p and another one in issue.q"},
		"conditional prove":   {"runbook \"b\" {\n resets = \"htpasswd_user\"\n prove \"p\" { when = false }\n}", "A step that takes no conditions", "configures it away"},
		"wrong runbook":       {user("a", `runbook = "postgresql_role"`), "A runbook for another type", "htpasswd_user"},
		"no runbook":          {user("a", `runbook = "htpasswd_usr"`), "No such runbook", `Did you mean "htpasswd_user"?`},
		"lowered":             {strings.Replace(user("a", `environment = "test"`), `file = "site.htpasswd"`, "\n  file = \"site.htpasswd\"\n  environment = \"staging\"\n", 1), "The environment is bound", "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(workspace(t, map[string]string{"main.remint.hcl": row.text}))
			o.Vars = nil
			_, diags := config.Load(o)
			for _, d := range diags {
				if d.Summary == row.summary && strings.Contains(d.Detail, row.detail) {
					if d.Range == nil || d.Snippet == nil || d.Snippet.Code == "" {
						t.Errorf("no place or no snippet: %+v", d)
					}
					return
				}
			}
			t.Errorf("want %q with %q, got\n%v", row.summary, row.detail, diags.Err())
		})
	}
}
