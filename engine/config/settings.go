package config

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/agekeys"
)

// Where state and evidence are unless the remint block says otherwise.
const (
	DefaultStatePath   = ".remint/state.db"
	DefaultStateSchema = "remint"
	DefaultEvidenceDir = "evidence"
)

// loadSettings reads the remint block, and protects what it names.
func (l *loader) loadSettings() {
	s := &l.ws.Settings
	s.StatePath, _ = l.paths.resolve(DefaultStatePath)
	s.EvidenceDir, _ = l.paths.resolve(DefaultEvidenceDir)
	s.SignerKey, _ = l.paths.resolve("keys/evidence.pem")
	for _, b := range l.blocks["remint"] {
		if !l.once("The remint block", b.TypeRange) {
			continue
		}
		got := l.simple(b.Body, b, "remint", attr("required_version", provider.String, false))
		if v, ok := got["required_version"].(string); ok {
			s.RequiredVersion = v
			l.checkVersion(v, b.Body.Attributes["required_version"].Expr)
		}
		l.noBlocks(b.Body, "remint")
		for _, inner := range b.Body.Blocks {
			if inner.Type != "state" && inner.Type != "evidence" && inner.Type != "seal" && inner.Type != "decision_log" && !approvalBlocks[inner.Type] {
				continue
			}
			if !l.once("The block remint."+inner.Type, inner.TypeRange) {
				continue
			}
			l.ws.declared[inner.Type] = inner.DefRange()
			l.setting(inner, s)
		}
	}
	l.bindSettings()
	l.bindApprovals()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		l.paths.protect(s.StatePath.Absolute+suffix, "the state")
	}
	l.paths.protect(s.EvidenceDir.Absolute, "the evidence")
	key := s.SignerKey.Absolute
	l.paths.protect(key, "the evidence key")
	l.paths.protect(key[:len(key)-len(filepath.Ext(key))]+".pub", "the evidence key")
	if dir := filepath.Dir(key); dir != l.home && filepath.Dir(key) != "/" {
		l.paths.protect(dir, "the folder of the evidence key")
	}
	l.paths.protect(filepath.Join(l.home, "keys"), "the folder of keys")
	for _, p := range s.SealIdentities {
		l.paths.protect(p.Absolute, "a seal's identity")
	}
}

func (l *loader) setting(b *hclsyntax.Block, s *Settings) {
	switch b.Type {
	case "approvals", "decisions":
		l.approvalSetting(b, &s.Approvals)
	case "state":
		if !l.labelled(b, `state "sqlite"`) {
			return
		}
		l.noBlocks(b.Body, "state")
		switch b.Labels[0] {
		case "sqlite":
		case "postgresql":
			l.sharedState(b, s)
			return
		default:
			l.fault(b.LabelRanges[0], "A state that does not exist", "There is no state %s. The state is kept in \"sqlite\", a file, or in \"postgresql\", which several machines share.", quoted(b.Labels[0]))
			return
		}
		if p, ok := l.placed(b, s, "state", attr("path", provider.PathType, false))["path"].(provider.Path); ok {
			s.StatePath = p
		}
	case "evidence":
		if p, ok := l.placed(b, s, "evidence", attr("directory", provider.PathType, false))["directory"].(provider.Path); ok {
			s.EvidenceDir = p
		}
		l.noBlocks(b.Body, "evidence")
		for _, k := range b.Body.Blocks {
			if k.Type != "signer" || !l.labelled(k, `signer "key"`) || !l.once("The block evidence.signer", k.TypeRange) {
				continue
			}
			if k.Labels[0] != "key" {
				l.fault(k.LabelRanges[0], "A signer that does not exist", "There is no signer %s. Evidence is signed with a \"key\" in a file.", quoted(k.Labels[0]))
				continue
			}
			l.noBlocks(k.Body, "signer")
			if p, ok := l.simple(k.Body, k, "signer", attr("path", provider.PathType, true))["path"].(provider.Path); ok {
				s.SignerKey = p
			}
		}
	case "decision_log":
		l.noBlocks(b.Body, "decision_log")
		if p, ok := l.simple(b.Body, b, "decision_log", attr("path", provider.PathType, true))["path"].(provider.Path); ok {
			s.DecisionLog, l.decisionLogAt = p, b.Body.Attributes["path"].Expr.Range()
		}
	case "seal":
		l.noBlocks(b.Body, "seal")
		recipients := attr("recipients", provider.StringList, true)
		recipients.Check = checkRecipients
		got := l.simple(b.Body, b, "seal", recipients, attr("identities", provider.StringList, false))
		s.SealRecipients, _ = got["recipients"].([]string)
		names, _ := got["identities"].([]string)
		for i, n := range names {
			if agekeys.Private(n) {
				l.fault(b.Body.Attributes["identities"].Expr.Range(), "A private key in a workspace", "identities name files, and number %d looks like a private key. Put it into a file outside of the workspace and name that; replace the key, for who can read this has it.", i+1)
				continue
			}
			p, err := l.paths.resolve(n)
			if err != nil {
				l.fault(b.Body.Attributes["identities"].Expr.Range(), "A value does not fit", "identities %s.", err)
				continue
			}
			s.SealIdentities = append(s.SealIdentities, p)
		}
	}
}

// sharedState reads where a state in PostgreSQL is. The URL may be sensitive.
func (l *loader) sharedState(b *hclsyntax.Block, s *Settings) {
	url, schema := attr("url", provider.String, true), attr("schema", provider.String, false)
	url.Sensitive, url.Description = true, "how to log in, as `postgres://user:password@host:5432/database` or `host=… user=…`"
	schema.Check = checkSchema
	schema.Description = "the schema that holds the tables, \"remint\" unless set"
	got := l.placed(b, s, `state "postgresql"`, url, schema)
	s.SharedState = &SharedState{Range: rangeOf(b)}
	s.SharedState.URL, _ = got["url"].(secret.Value)
	s.SharedState.Schema, _ = got["schema"].(string)
}

// placed evaluates a block that says where state or evidence is.
func (l *loader) placed(b *hclsyntax.Block, s *Settings, what string, attrs ...provider.Attribute) map[string]any {
	f := l.form(b.Body, b.DefRange(), what, provider.Schema{Attributes: attrs}, nil, plainScope())
	got, _ := l.fill(f, l.ctx, "")
	for i := range f.slots {
		s.Unplaced = s.Unplaced || f.slots[i].unknown && !f.slots[i].attr.Sensitive // the digest has no sensitive value
	}
	return got
}

// checkRecipients refuses what nothing can be sealed to before anything has to be. None
// are the workspace's own key.
func checkRecipients(value any) error {
	list, _ := value.([]string)
	if len(list) == 0 {
		return nil
	}
	_, err := agekeys.Recipients(list)
	return err
}

// checkSchema refuses what PostgreSQL would cut or keeps for itself.
func checkSchema(value any) error {
	name, _ := value.(string)
	switch {
	case name == "" || len(name) > 63:
		return errors.New("must have 1 to 63 bytes")
	case strings.HasPrefix(name, "pg_") || name == "information_schema":
		return errors.New("must not be a schema of PostgreSQL's own")
	}
	return nil
}

func attr(name string, t provider.AttrType, required bool) provider.Attribute {
	return provider.Attribute{Name: name, Type: t, Required: required}
}

// simple evaluates a block of the engine's own attributes.
func (l *loader) simple(body *hclsyntax.Body, b *hclsyntax.Block, what string, attrs ...provider.Attribute) map[string]any {
	f := l.form(body, b.DefRange(), what, provider.Schema{Attributes: attrs}, nil, plainScope())
	got, _ := l.fill(f, l.ctx, "")
	return got
}

// protectDecisionLog comes when everything is known that it must not be written to.
func (l *loader) protectDecisionLog() {
	p := l.ws.Settings.DecisionLog
	if p.Absolute == "" {
		return
	}
	if err := l.paths.writable(p); err != nil {
		l.fault(l.decisionLogAt, "A path that must not be written to", "path %s. Choose another path.", err)
	}
	l.paths.protect(p.Absolute, "the decision log")
}
