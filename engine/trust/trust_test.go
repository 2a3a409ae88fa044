package trust_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/trust"
)

func base() *trust.Base {
	return &trust.Base{
		Approvers: []trust.Approver{{Name: "alice", PublicKey: "PEM\n", Groups: []string{"b", "a"}, Identities: []string{"alice@example.com"}}},
		Policies:  []trust.Policy{{Name: "house", Enforcement: "mandatory", Digest: "sha256:0123456789abcdef"}},
		Signer:    "c2lnbmVy",
		Providers: []trust.Part{{Key: "htpasswd.site", Environment: "staging", Attributes: map[string]any{"file": "site"}}},
		Notifiers: []trust.Part{{Key: "file.ops", Attributes: map[string]any{"path": "told"}}},
		Commands:  []trust.Part{{Key: "command", Attributes: map[string]any{"command": []string{"/bin/true"}, "timeout": int64(3)}}},
	}
}

// Each part counts, and how it is written does not.
func TestDigest(t *testing.T) {
	want := base().Digest()
	for name, change := range map[string]func(*trust.Base){
		"order of groups":     func(b *trust.Base) { b.Approvers[0].Groups = []string{"a", "b"} },
		"a group said twice":  func(b *trust.Base) { b.Approvers[0].Groups = []string{"a", "b", "a"} },
		"a key's last line":   func(b *trust.Base) { b.Approvers[0].PublicKey = "PEM" },
		"empty and not there": func(b *trust.Base) { b.Seal = []string{} },
	} {
		b := base()
		change(b)
		if b.Digest() != want {
			t.Errorf("%s counts", name)
		}
	}
	for name, row := range map[string]struct {
		change func(*trust.Base)
		diff   []string
	}{
		"approver": {func(b *trust.Base) { b.Approvers = append(b.Approvers, trust.Approver{Name: "bob"}) }, []string{"+ approver bob"}},
		"certified": {func(b *trust.Base) {
			b.Approvers = append(b.Approvers, trust.Approver{Name: "erin", Identity: "erin@example.com", Issuer: "https://login.example.com"})
		}, []string{"+ approver erin certificates of erin@example.com by https://login.example.com"}},
		"nobody": {func(b *trust.Base) { b.Approvers = nil }, []string{"- approver alice groups a b, identities alice@example.com"}},
		"group": {func(b *trust.Base) { b.Approvers[0].Groups = []string{"a"} },
			[]string{"~ approver alice groups a b, identities alice@example.com becomes groups a, identities alice@example.com"}},
		"enforcement": {func(b *trust.Base) { b.Policies[0].Enforcement = "advisory" },
			[]string{"~ policy house mandatory, content 0123456789ab becomes advisory, content 0123456789ab"}},
		"signer":      {func(b *trust.Base) { b.Signer = "b3RoZXI=" }, []string{"~ signer key c2lnbmVy becomes key b3RoZXI="}},
		"seal":        {func(b *trust.Base) { b.Seal = []string{"age1x"} }, []string{"+ seal for age1x"}},
		"cap":         {func(b *trust.Base) { b.Approvals = &trust.Approvals{MaxExpires: "8h0m0s"} }, []string{"+ approvals count for 8h0m0s"}},
		"decisions":   {func(b *trust.Base) { b.Approvals = &trust.Approvals{Decisions: "state"} }, []string{"+ decisions in state"}},
		"state":       {func(b *trust.Base) { b.State = &trust.Part{Key: "sqlite", Attributes: map[string]any{"path": "n.db"}} }, []string{`+ state sqlite path="n.db"`}},
		"evidence":    {func(b *trust.Base) { b.Evidence = "proof" }, []string{"+ evidence in proof"}},
		"environment": {func(b *trust.Base) { b.Providers[0].Environment = "" }, []string{`~ provider htpasswd.site staging file="site" becomes production file="site"`}},
		"notifier":    {func(b *trust.Base) { b.Notifiers = nil }, []string{`- notifier file.ops path="told"`}},
		"command": {func(b *trust.Base) { b.Commands[0].Attributes["command"] = []string{"/bin/sh"} },
			[]string{`+ consumer command command=["/bin/sh"] timeout=3`, `- consumer command command=["/bin/true"] timeout=3`}},
	} {
		t.Run(name, func(t *testing.T) {
			b := base()
			row.change(b)
			if b.Digest() == want {
				t.Error("it does not count")
			}
			if diff := cmp.Diff(row.diff, trust.Diff(base(), b)); diff != "" {
				t.Error(diff)
			}
			back, err := trust.Kept(b.Keep(), b.Digest())
			if err != nil || len(trust.Diff(b, back)) > 0 {
				t.Errorf("what is kept is not what was: %v, %v", err, trust.Diff(b, back))
			}
			if _, err := trust.Kept(b.Keep(), want); err == nil {
				t.Error("what is kept passes for another base")
			}
		})
	}
	if got := trust.Diff(base(), base()); len(got) != 0 {
		t.Errorf("nothing changed: %v", got)
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"dir": "dir", "git:main": "git:main", "git:origin/main:ops/remint": "git:origin/main:ops/remint", "git:v1.2~3": "git:v1.2~3", "git:main:": "git:main:",
		"": "", "git:": "", "git:-x": "", "git:a b": "", "git:a..b": "", "git:main:../x": "", "git:main:a/../../x": "", "git:\x00": "",
		"git:HEAD": "", "git:head": "", "git:HEAD~1": "", "git:HEAD^": "", "git:HEAD@{1}": "", "git:HEAD:ops": "", "git:HEAD^{commit}": "", "git:@": "", "git:@~2": "", "git:@{-1}": "", "git:@{upstream}:ops": "",
		"git:origin/HEAD": "git:origin/HEAD", "git:FETCH_HEAD": "git:FETCH_HEAD", "git:HEADS": "git:HEADS",
	} {
		p, err := trust.ParsePlace(text)
		if (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for pin, ok := range map[string]bool{"": true, "git:main": false, "sha256:00": false, base().Digest(): true} {
		if err := trust.CheckPin(pin); (err == nil) != ok {
			t.Errorf("%q: %v", pin, err)
		}
	}
}

// What is shown can be digested by whoever reads it.
func TestWhatIsShownIsDigested(t *testing.T) {
	b := trust.Of(&config.Workspace{Approvers: []config.Approver{{Name: "alice", PublicKey: "PEM\n"}}}, nil, "")
	shown, err := plan.Canonical(b)
	if sum := sha256.Sum256(shown); err != nil || "sha256:"+hex.EncodeToString(sum[:]) != b.Digest() {
		t.Errorf("%s is not what is digested: %v", shown, err)
	}
}
