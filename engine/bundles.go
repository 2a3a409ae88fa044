package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/policy"
)

// sourceOf opens a policy's folder or signed bundle as a source.
func sourceOf(p config.Policy) (policy.Source, diag.Diagnostics) {
	source := policy.Source{Name: p.Name, FS: p.Files, Enforcement: string(p.Enforcement), Path: p.Path.Written, Revision: p.Revision}
	if p.Files != nil {
		return source, nil
	}
	missing := func(what string) (policy.Source, diag.Diagnostics) {
		rng := p.Range
		return source, diag.Diagnostics{{
			Severity: diag.Error, Summary: "A policy " + what + " is missing", Exit: diag.ExitDenied, Range: &rng,
			Detail: "Policy " + p.Name + " names the " + what + " " + p.Path.Written + ", which is not there. What cannot be asked denies.",
		}}
	}
	info, err := os.Stat(p.Path.Absolute)
	if p.Signing != nil {
		if err != nil {
			return missing("bundle")
		}
		return bundleSource(p)
	}
	if err != nil || !info.IsDir() {
		return missing("folder")
	}
	root, err := os.OpenRoot(p.Path.Absolute)
	if err != nil {
		return source, diag.Errored(diag.ExitDenied, "A policy folder cannot be read", "Policy %s: %s cannot be opened. What cannot be asked denies.", p.Name, p.Path.Written)
	}
	source.FS = root.FS()
	return source, nil
}

// bundleSource verifies a signed bundle.
func bundleSource(p config.Policy) (policy.Source, diag.Diagnostics) {
	source, diags := policy.Options{}.OpenBundle(context.Background(), policy.Bundle{
		Name: p.Name, Enforcement: string(p.Enforcement), File: p.Path.Absolute, Path: p.Path.Written,
		Signing: policy.Signing{PublicKey: p.Signing.PublicKey, Algorithm: p.Signing.Algorithm, Scope: p.Signing.Scope},
	})
	for i := range diags {
		if diags[i].Range == nil {
			rng := p.Range
			diags[i].Range = &rng
		}
	}
	return source, diags
}

// lastSeen is what the state remembers of the highest revision of a bundle. Two
// contents of one revision are a step back, too.
type lastSeen struct {
	Revision string `json:"revision"`
	Digest   string `json:"digest"`
}

// seenKey is what the state remembers it under. A source under another key begins
// anew: who may change the key is asked elsewhere (trust).
func (s *session) seenKey(name string) string {
	for _, p := range s.workspace.Policies {
		if p.Name == name && p.Signing != nil {
			return "bundle/" + name + "/" + p.Signing.KeyID()
		}
	}
	return "bundle/" + name
}

// backwards refuses bundles whose revision is lower than the highest one that was
// applied. It is about nothing where there is no state yet.
func (s *session) backwards(ctx context.Context) diag.Diagnostics {
	if s.journal == nil {
		return nil
	}
	var diags diag.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(s.policies.Revisions())) {
		raw, err := s.journal.Recall(ctx, s.seenKey(name))
		if err != nil {
			return append(diags, diag.Errored(0, "The state cannot be read", "%s.", err)...)
		}
		_, faults := s.behind(name, raw)
		diags = append(diags, faults...)
	}
	return diags
}

// behind holds a bundle against what is remembered of it; next is to be remembered,
// nil when nothing changed.
func (s *session) behind(name string, raw []byte) (next []byte, diags diag.Diagnostics) {
	now := lastSeen{s.policies.Revisions()[name], s.policies.Digests()[name]}
	next, err := json.Marshal(now)
	if err != nil || raw == nil {
		return next, diags
	}
	refuse := func(format string, args ...any) ([]byte, diag.Diagnostics) {
		rng, snippet := s.policyPlace(name)
		return nil, diag.Diagnostics{{Severity: diag.Error, Exit: diag.ExitDenied, Summary: "A policy bundle went back", Range: rng, Snippet: snippet,
			Detail: fmt.Sprintf("Policy %q: ", name) + fmt.Sprintf(format, args...)}}
	}
	var last lastSeen
	if err := json.Unmarshal(raw, &last); err != nil {
		return refuse("what the state remembers of its revision is damaged.")
	}
	order, err := policy.CompareRevisions(now.Revision, last.Revision)
	switch {
	case err != nil:
		return refuse("%s.", err)
	case order < 0:
		return refuse("the bundle has revision %s, and this state has seen revision %s. Take that one or a later one.", now.Revision, last.Revision)
	case order == 0 && now.Digest != last.Digest:
		return refuse("the bundle has revision %s, which this state has seen with other rules. Take a bundle of a later revision than %s.", now.Revision, last.Revision)
	case order == 0:
		return nil, nil
	}
	return next, nil
}

// policyPlace is where a policy is declared.
func (s *session) policyPlace(name string) (*diag.Range, *diag.Snippet) {
	for _, p := range s.workspace.Policies {
		if p.Name == name {
			return s.workspace.Place(p.Range)
		}
	}
	return nil, nil
}

// advance makes the state remember the revisions that are about to be applied under,
// before anything is. Of two runners that do so at once the higher one stays.
func (s *session) advance(ctx context.Context) diag.Diagnostics {
	for _, name := range slices.Sorted(maps.Keys(s.policies.Revisions())) {
		for {
			key := s.seenKey(name)
			raw, err := s.journal.Recall(ctx, key)
			if err == nil {
				next, diags := s.behind(name, raw)
				if diags.HasErrors() {
					return diags
				}
				if next == nil {
					break
				}
				err = s.journal.Remember(ctx, key, raw, next)
			}
			if errors.Is(err, journal.ErrChanged) {
				continue
			}
			if err != nil {
				return diag.Errored(0, "The state cannot be written", "The revision of policy %q could not be remembered: %s. Nothing was begun.", name, err)
			}
			break
		}
	}
	return nil
}
