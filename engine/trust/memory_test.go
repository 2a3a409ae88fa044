package trust_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/trust"
)

// Where it is remembered what was done is part of the base, without any secret; the
// default place is the same whether it is said or not.
func TestMemory(t *testing.T) {
	at := func(s string) provider.Path { return provider.Path{Written: s} }
	with := func(state, dir string, shared *config.SharedState) *trust.Base {
		return trust.Of(&config.Workspace{Settings: config.Settings{StatePath: at(state), EvidenceDir: at(dir), SharedState: shared}}, nil, "")
	}
	plain := with(config.DefaultStatePath, config.DefaultEvidenceDir, nil)
	shared := &config.SharedState{URL: secret.FromString("postgres://u:hunter2@h/x"), Schema: "ops"}
	for name, row := range map[string]struct {
		got  *trust.Base
		want []string
	}{
		"the default":          {plain, []string{}},
		"the default, written": {with("./.remint/state.db", "evidence/", nil), []string{}},
		"a file":               {with(".remint/n.db", "evidence", nil), []string{`+ state sqlite path=".remint/n.db"`}},
		"a folder":             {with(config.DefaultStatePath, "ev9", nil), []string{"+ evidence in ev9"}},
		"shared":               {with(config.DefaultStatePath, "evidence", shared), []string{`+ state postgresql schema="ops" url="(secret)"`}},
		"shared, by default":   {with(config.DefaultStatePath, "evidence", &config.SharedState{Schema: "remint"}), []string{`+ state postgresql url="(secret)"`}},
	} {
		if diff := cmp.Diff(row.want, trust.Diff(plain, row.got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if (row.got.Digest() == plain.Digest()) != (len(row.want) == 0) || !row.got.Known() {
			t.Errorf("%s: digest %s, known %v", name, row.got.Digest(), row.got.Known())
		}
	}
	if trust.Of(&config.Workspace{Settings: config.Settings{Unplaced: true}}, nil, "").Known() {
		t.Error("a place that nobody knows has a digest")
	}
}
