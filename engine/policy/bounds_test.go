package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
)

// Each of these would take all the time or memory there is. Most are in one
// builtin that does not listen to anybody. All deny, in time, and say which
// policy and which bound.
func TestBoundsHold(t *testing.T) {
	rule := func(body string) string {
		return "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t" + body + "\n}\n"
	}
	const late, large = "too long", "too much memory"
	for name, tc := range map[string]struct {
		text string
		want []string // any of them
	}{
		"shift":               {rule(`bits.lsh(1, 1000000000) == 7`), []string{late, large}},
		"shift of a shift":    {rule(`bits.lsh(bits.lsh(1, 100000000), 100000000) == 7`), []string{late, large}},
		"range":               {rule(`count(numbers.range(1, 1000000000)) == 7`), []string{late, large}},
		"comprehension":       {rule(`count({[a, b, c] | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000)}) == 7`), []string{late, large}},
		"lasting loop":        {rule(`some a in numbers.range(1, 90000); some b in numbers.range(1, 90000); a * b == -1`), []string{late}},
		"width":               {rule(`count([sprintf("%0999999d", [i]) | some i in numbers.range(1, 100000)]) == 7`), []string{late, large}},
		"doubling":            {rule(`a := concat("", ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" | some i in numbers.range(1, 100000)]); b := replace(a, "x", a); b == "x"`), []string{late, large}},
		"huge number":         {rule(`to_number("1e1000000000") % 7 == 3`), []string{late, large, "not "}},
		"huge sum":            {rule(`x := to_number("1e100000000"); y := ceil(x) + 1; format_int(y, 10) == "3"`), []string{late, large, "not "}},
		"regex":               {rule(`regex.match(concat("", ["(a?){1000}" | some i in numbers.range(1, 1000)]), "aaaa")`), []string{late, large, "not "}},
		"glob":                {rule(`glob.match(concat("", ["{a," | some i in numbers.range(1, 1000000)]), [], "a")`), []string{"stack", late, large, "not "}},
		"deep data":           {rule(`a := concat("", ["[" | some i in numbers.range(1, 5000000)]); json.unmarshal(a) == 1`), []string{late, large, "not "}},
		"walk":                {rule(`x := [[[a, b, c] | some c in numbers.range(1, 200)] | some a in numbers.range(1, 200); some b in numbers.range(1, 200)]; some p, v; walk(x, [p, v]); v == "z"`), []string{late, large}},
		"graph":               {rule(`g := {n: numbers.range(1, 3000) | some n in numbers.range(1, 3000)}; count(graph.reachable(g, {1})) == 7`), []string{late, large}},
		"product":             {rule(`product(numbers.range(1, 3000000)) == 7`), []string{late, large}},
		"says too much":       {"package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": sprintf(\"%d\", [i])} if some i in numbers.range(1, 2000)\n", []string{"it has 2000 members"}},
		"says far too much":   {"package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": sprintf(\"%d\", [i])} if some i in numbers.range(1, 90000000)\n", []string{late, large}},
		"long message":        {"package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": concat(\"\", [\"x\" | some i in numbers.range(1, 5000)])} if true\n", []string{"string of 1 to 4096"}},
		"controls":            {"package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": \"m\", \"controls\": [sprintf(\"%d\", [i]) | some i in numbers.range(1, 200)]} if true\n", []string{"100 is the most"}},
		"memory in functions": {"package remint.plan\nf(n) := [n, x] if x := numbers.range(n, n + 1000000)\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if count([y | some i in numbers.range(1, 1000); y := f(i)]) == 7\n", []string{late, large}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, diags := Options{Limits: Limits{Time: time.Second}}.Compile(context.Background(), []Source{named("calm", Mandatory, good), source(one(tc.text))})
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			defer set.Close()
			begun := time.Now()
			_, diags = set.Eval(context.Background(), anInput())
			took := time.Since(begun)
			if diags.Exit() != diag.ExitDenied || len(diags) != 1 {
				t.Fatalf("exit %v: %v", diags.Exit(), diags.Err())
			}
			got, found := diags.Err().Error(), false
			for _, want := range tc.want {
				found = found || strings.Contains(got, want)
			}
			if !found || !strings.Contains(got, `"house"`) || !strings.Contains(got, "remint.plan") {
				t.Errorf("got %s\nwant one of %q", got, tc.want)
			}
			if took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("%v: %s", took.Round(time.Millisecond), got)
			// The other source is still to be had, and the answer the same.
			if _, diags := set.Eval(context.Background(), anInput()); diags.Exit() != diag.ExitDenied {
				t.Error("asked again, it does not deny")
			}
		})
	}
}

// All tests together are bounded, however many files of them there are: each by itself
// stays within what a test may take.
func TestTestsAreBoundedTogether(t *testing.T) {
	files := one(good)
	for i := range 20 {
		files[fmt.Sprintf("t%02d_test.rego", i)] = fmt.Sprintf("package remint.plan_test\ntest_%d if { some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a * b == -1 }\n", i)
	}
	o := Options{Limits: Limits{Tests: time.Second}}
	report, diags := Test(context.Background(), []Source{source(files)}, o)
	if got := fmt.Sprint(diags.Err()); report != nil || !strings.Contains(got, "house") || !strings.Contains(got, "all tests together took more than 1s of processor time") {
		t.Errorf("%v, %s", report, got)
	}
}

// The compiler is bounded too, and what it was reading is said.
func TestCompilingIsBounded(t *testing.T) {
	many := strings.Builder{}
	many.WriteString(good)
	for i := range 60 {
		fmt.Fprintf(&many, "warn contains {\"id\": \"w%d\", \"msg\": \"m\"} if input.ticket == \"%d\"\n", i, i)
	}
	o := Options{Limits: Limits{Compile: time.Nanosecond - grace}}
	set, diags := o.Compile(context.Background(), []Source{source(one(many.String()))})
	if set != nil || diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "too long") || !strings.Contains(diags.Err().Error(), "house") {
		t.Error(diags.Err())
	}
	o = Options{Limits: Limits{Memory: 1, Compile: time.Minute}}
	big := good + strings.Repeat("warn contains {\"id\": \"w\", \"msg\": sprintf(\"%v %v\", [input.ticket, [1, 2, 3, 4, 5, 6, 7, 8, 9]])} if input.ticket != \"\"\n", 1900)
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("f%02d.rego", i)] = big
	}
	set, diags = o.Compile(context.Background(), []Source{source(files)})
	if set != nil || diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "too much memory") {
		t.Error(diags.Err())
	}
}

// An evaluator has no environment, no files but its three pipes, a group of its
// own, no core, and ends when it is let go of.
func TestEvaluatorIsConfined(t *testing.T) {
	t.Setenv("REMINT_CANARY", "canary")
	held, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	inherited, err := syscall.Dup(int(held.Fd())) // without close-on-exec, as a shell leaves it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(inherited) }()
	set := compileAll(t, source(one(good)))
	pid := set.remote.p.cmd.Process.Pid
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if os.Geteuid() == 0 { // nobody else may look into what is not dumpable
		if env, err := os.ReadFile(filepath.Join(proc, "environ")); err != nil || len(bytes.Trim(env, "\x00")) > 0 {
			t.Errorf("environment %q, %v", env, err)
		}
		list, err := os.ReadDir(filepath.Join(proc, "fd"))
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range list {
			if to, _ := os.Readlink(filepath.Join(proc, "fd", fd.Name())); !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") { // these are of Go's runtime
				t.Errorf("file %s is open: %s", fd.Name(), to)
			}
		}
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("process group %d of %d, %v", group, pid, err)
	}
	limits, err := os.ReadFile(filepath.Join(proc, "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(limits), "\n") {
		for _, none := range []string{"Max core file size", "Max file size"} {
			if strings.HasPrefix(line, none) && !strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(line, none)), "0 ") {
				t.Error(line)
			}
		}
		if strings.HasPrefix(line, "Max data size") && strings.Fields(line)[3] == "unlimited" {
			t.Error(line)
		}
	}
	set.Close()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it still runs: %v", err)
	}
	// Asked again, it is started again.
	if _, diags := set.Eval(context.Background(), anInput()); diags.HasErrors() {
		t.Error(diags.Err())
	}
}

// What an evaluator that is killed or talks nonsense leaves behind is a denial.
func TestBrokenEvaluatorDenies(t *testing.T) {
	for name, breakIt := range map[string]func(t *testing.T, p *process){
		"killed":  func(_ *testing.T, p *process) { _ = p.cmd.Process.Kill(); <-p.ended },
		"stopped": func(_ *testing.T, p *process) { _ = p.cmd.Process.Signal(syscall.SIGSTOP) },
		"nonsense": func(_ *testing.T, p *process) {
			p.wire.r.Reset(strings.NewReader("HTTP/1.1 200 OK\r\n\r\n"))
		},
		"unknown member": func(_ *testing.T, p *process) {
			p.wire.r.Reset(strings.NewReader("\x00\x00\x00\x10{\"allowed\": true}"))
		},
		"cut off": func(_ *testing.T, p *process) { p.wire.r.Reset(strings.NewReader("\x00\x00\x01\x00{\"parts\": 0}")) },
		"garbage": func(_ *testing.T, p *process) { _, _ = p.in.WriteString("\xff\xff\xff\xff") },
	} {
		t.Run(name, func(t *testing.T) {
			set, diags := Options{Limits: Limits{Time: time.Millisecond}}.Compile(context.Background(), []Source{source(one(good))})
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			defer set.Close()
			breakIt(t, set.remote.p)
			if _, diags := set.Eval(context.Background(), anInput()); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "house") {
				t.Errorf("exit %v: %v", diags.Exit(), diags.Err())
			} else {
				t.Log(diags.Err())
			}
		})
	}
}

func TestCancelledIsNoAnswer(t *testing.T) {
	set := compileAll(t, source(one(good)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, diags := set.Eval(ctx, anInput()); diags.Exit() != diag.ExitError || diags[0].Summary != "Interrupted" {
		t.Error(diags.Err())
	}
	if _, diags := set.Eval(context.Background(), anInput()); diags.HasErrors() {
		t.Error("being cancelled once is no reason to deny for good:", diags.Err())
	}
}

// FuzzReply looks for bytes of an evaluator that are taken for an answer and are
// none, or that cost more than they are long.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0b{\"parts\": 1}\x00\x00\x00\x02{}"))
	f.Add([]byte("\x00\x00\x00\x10{\"allowed\": true}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		c := newWire(bytes.NewReader(b), nil)
		var r reply
		if err := c.read(&r); err != nil {
			return
		}
		for range r.Parts {
			var p page
			if err := c.read(&p); err != nil {
				return
			}
			if err := newUnion(anInput()).add(&judged{name: "house", enforcement: Mandatory}, p.Findings); err != nil {
				return
			}
		}
	})
}
