package evidence

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestExport(t *testing.T) {
	w := newWorld(t)
	out := filepath.Join(t.TempDir(), "out")
	extras := func(run string) (fs.FS, error) {
		return fstest.MapFS{"plan.json": {Data: []byte(run)}, "policies/a.rego": {Data: []byte("package a")}}, nil
	}
	must(t, Export(context.Background(), w.dir, out, extras))
	var got []string
	must(t, filepath.WalkDir(filepath.Join(out, "r1"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(out, path)
			got = append(got, rel)
		}
		return err
	}))
	want := []string{"r1/plan.json", "r1/policies/a.rego", "r1/run/0001-run-opened.sigstore.json", "r1/run/0002-run-closed.sigstore.json"}
	for _, c := range []string{"htpasswd_user.a", "htpasswd_user.b"} {
		for _, f := range []string{"0001-install-user", "0002-confirm-login", "0003-prove-refused", "0004-reset-finished"} {
			want = append(want, "r1/"+c+"/"+f+".sigstore.json")
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	one, err := os.ReadFile(filepath.Join(out, "r1/htpasswd_user.a/0002-confirm-login.sigstore.json"))
	must(t, err)
	if !bytes.Equal(bytes.TrimSpace(one), bytes.TrimSpace(w.lines(t, fileA)[1])) {
		t.Fatal("the exported bundle is not the line")
	}
	if err := Export(context.Background(), w.dir, out, extras); err == nil {
		t.Fatal("a folder that is not empty was exported into")
	}
}

func TestExportNames(t *testing.T) {
	for step, want := range map[string]string{
		`distribute.stores["file.Ä/../x"]#2`: "distribute-stores.file.%c3%84%2f..%2fx_-2",
		"prove.refused#2":                    "prove-refused-2",
		"../../etc/passwd":                   "record",
		"":                                   "record",
	} {
		if got := stepFile(&Step{Step: step}); got != want {
			t.Errorf("%q becomes %q", step, got)
		}
	}
	if got := stepFile(&Run{Event: "../x"}); got != "record" {
		t.Errorf("got %q", got)
	}
}

func TestListShow(t *testing.T) {
	w := newWorld(t)
	list, err := List(w.dir)
	must(t, err)
	want := []Summary{
		{Run: "r1", PlanID: "plan-r1", OpenedAt: testTime, Operator: "op", Mode: "cutover", Outcome: "finished", ClosedAt: testTime, Resets: 2, Trust: "self-asserted"},
		{Run: "r2", PlanID: "plan-r2", OpenedAt: testTime, Operator: "op", Mode: "cutover", Outcome: "finished", ClosedAt: testTime, Resets: 2, Trust: "self-asserted"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Fatal(diff)
	}
	var names []string
	for e, err := range Show(w.dir, "r1") {
		must(t, err)
		names = append(names, e.Record.Name())
	}
	if len(names) != 10 || names[0] != "r1/run/opened" || names[2] != "r1/credential.htpasswd_user.a/install.user" {
		t.Fatal(names)
	}
	for _, run := range []string{"r3", "..", "ledger", "", "r1/.."} {
		for _, err := range Show(w.dir, run) {
			if err == nil {
				t.Errorf("%q was shown", run)
			}
		}
	}
	if _, err := List(filepath.Join(w.dir, "nowhere")); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}
