package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
)

// Lines are what b holds, a line each, in words that people compare.
func (b *Base) Lines() []string {
	named := b.named()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(named)) {
		out = append(out, key+named[key])
	}
	return out
}

// Diff says what changed from one base to another: "+" what is new, "-" what is
// gone, "~" what is not the same any more.
func Diff(from, to *Base) []string {
	old, now := from.named(), to.named()
	out := []string{}
	keys := maps.Clone(old)
	maps.Copy(keys, now)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, had := old[key]
		is, has := now[key]
		switch {
		case !had:
			out = append(out, "+ "+key+is)
		case !has:
			out = append(out, "- "+key+was)
		case was != is:
			out = append(out, "~ "+key+was+" becomes"+is)
		}
	}
	return out
}

// named gives each thing in the base by its name, and what there is to say of it.
func (b *Base) named() map[string]string {
	out := map[string]string{}
	for _, a := range b.Approvers {
		text := ""
		if a.KeyID() != "" { // she may have certificates alone
			text = ", key " + short(a.KeyID())
		}
		if g := sorted(a.Groups); len(g) > 0 {
			text += ", groups " + strings.Join(g, " ")
		}
		if id := sorted(a.Identities); len(id) > 0 {
			text += ", identities " + strings.Join(id, " ")
		}
		if a.NotAfter != "" {
			text += ", not after " + a.NotAfter
		}
		if a.RevokedAt != "" {
			text += ", revoked at " + a.RevokedAt
		}
		if a.Identity != "" {
			text += ", certificates of " + a.Identity + " by " + a.Issuer
		}
		if a.Notify != "" {
			text += ", told at " + a.Notify
		}
		out["approver "+a.Name] = strings.TrimPrefix(text, ",")
	}
	for _, p := range b.Policies {
		text := ", content " + short(strings.TrimPrefix(p.Digest, "sha256:"))
		if p.PublicKey != "" {
			text = strings.TrimRight(", bundle signed by key "+short(config.Signing{PublicKey: p.PublicKey}.KeyID())+" "+p.Algorithm, " ")
			if p.Scope != "" {
				text += fmt.Sprintf(", scope %q", p.Scope)
			}
		}
		out["policy "+p.Name] = " " + p.Enforcement + text
	}
	if b.Signer != "" {
		out["signer"] = " key " + short(b.Signer)
	}
	for _, r := range b.Seal {
		out["seal for "+r] = ""
	}
	for _, p := range b.Providers {
		environment := p.Environment
		if environment == "" {
			environment = "production"
		}
		out["provider "+p.Key] = " " + environment + attributes(p.Attributes)
	}
	for _, n := range b.Notifiers {
		out["notifier "+n.Key] = attributes(n.Attributes)
	}
	for _, v := range b.Verifiers {
		out["verifier "+v.Key] = attributes(v.Attributes)
	}
	b.Approvals.lines(out)
	out["library"] = attributes(b.Library.Attributes)
	if b.Override != nil {
		out["override"] = b.Override.line()
	}
	if b.BreakGlass != nil {
		out["break_glass"] = b.BreakGlass.line()
	}
	if b.State != nil {
		out["state "+b.State.Key] = attributes(b.State.Attributes)
	}
	if b.Evidence != "" {
		out["evidence in"] = " " + b.Evidence
	}
	for _, c := range b.Commands {
		out["consumer "+c.Key+attributes(c.Attributes)] = ""
	}
	return out
}

func attributes(a map[string]any) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		value, err := plan.Canonical([]any{a[name]})
		if err != nil {
			continue
		}
		fmt.Fprintf(&out, " %s=%s", name, strings.TrimSuffix(strings.TrimPrefix(string(value), "["), "]"))
	}
	return out.String()
}

// short is enough of a digest to compare by eye.
func short(s string) string {
	if len(s) > 12 {
		return s[:12]
	}
	return s
}
