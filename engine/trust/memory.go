package trust

import (
	"path/filepath"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// memory describes where state and evidence are. They judge too: what is spent, who
// judged before and which reviews are owed is known in that place and in no other. The
// default place is left out, so that saying it or not is the same.
func (b *Base) memory(s config.Settings) {
	if shared := s.SharedState; shared != nil {
		b.State = &Part{Key: "postgresql", Attributes: map[string]any{"url": secret.Redacted}}
		if shared.Schema != "" && shared.Schema != config.DefaultStateSchema {
			b.State.Attributes["schema"] = shared.Schema
		}
	} else if path := moved(s.StatePath, config.DefaultStatePath); path != "" {
		b.State = &Part{Key: "sqlite", Attributes: map[string]any{"path": path}}
	}
	b.Evidence = moved(s.EvidenceDir, config.DefaultEvidenceDir)
	b.unknown = b.unknown || s.Unplaced
}

// moved is a path that is not the default one; "" for that.
func moved(p provider.Path, usual string) string {
	if p.Written == "" || filepath.Clean(p.Written) == usual {
		return ""
	}
	return filepath.Clean(p.Written)
}
