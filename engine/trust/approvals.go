package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/provider"
)

// Approvals are the terms on which approvals count.
type Approvals struct {
	// MaxExpires is how long one may count, "" for as long as it says itself.
	MaxExpires string `json:"max_expires,omitempty"`
	// Decisions is where decisions are read: "directory PATH", "state", or "" for
	// nowhere but beside the plan.
	Decisions string `json:"decisions,omitempty"`
	// TrustedRoot is the Sigstore trusted root by which certificates count.
	TrustedRoot string `json:"trusted_root,omitempty"`
}

const inDirectory = "directory "

func terms(a config.Approvals) *Approvals {
	out := Approvals{TrustedRoot: a.TrustedRoot}
	if a.MaxExpires > 0 {
		out.MaxExpires = a.MaxExpires.String()
	}
	if d := a.Decisions; d != nil {
		if out.Decisions = "state"; d.Directory.Written != "" {
			out.Decisions = inDirectory + d.Directory.Written
		}
	}
	if out == (Approvals{}) {
		return nil
	}
	return &out
}

// MaxExpires is how long an approval may count under b; zero for as long as it says.
func (b *Base) MaxExpires() time.Duration {
	if b.Approvals == nil {
		return 0
	}
	d, err := time.ParseDuration(b.Approvals.MaxExpires)
	if err != nil {
		return 0
	}
	return d
}

// Decisions is where decisions are read under b, for a workspace in dir; nil where
// that is nowhere.
func (b *Base) Decisions(dir string) *config.DecisionSource {
	if b.Approvals == nil || b.Approvals.Decisions == "" {
		return nil
	}
	out := &config.DecisionSource{}
	if path, ok := strings.CutPrefix(b.Approvals.Decisions, inDirectory); ok {
		out.Directory = provider.Path{Written: path, Absolute: path}
		if !filepath.IsAbs(path) {
			out.Directory.Absolute = filepath.Join(dir, path)
		}
	}
	return out
}

// TrustedRoot is that by which certificates count under b, "" where none do.
func (b *Base) TrustedRoot() string {
	if b.Approvals == nil {
		return ""
	}
	return b.Approvals.TrustedRoot
}

// IdentityID names a person who signs with certificates, as KeyID names one with a
// key; "" for who does not.
func IdentityID(id evidence.Identity) string {
	if id == (evidence.Identity{}) {
		return ""
	}
	sum := sha256.Sum256([]byte(id.Issuer + "\n" + id.Name))
	return "identity:" + hex.EncodeToString(sum[:])
}

// lines says the terms, for Diff.
func (a *Approvals) lines(out map[string]string) {
	if a == nil {
		return
	}
	if a.MaxExpires != "" {
		out["approvals count for"] = " " + a.MaxExpires
	}
	if a.TrustedRoot != "" {
		sum := sha256.Sum256([]byte(a.TrustedRoot))
		out["trusted root"] = " content " + short(hex.EncodeToString(sum[:]))
	}
	if a.Decisions != "" {
		out["decisions in"] = " " + a.Decisions
	}
}
