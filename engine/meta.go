package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// meta is what a run keeps besides its plan: what resume and export need when
// the files it came from are gone.
type meta struct {
	// OperatorNames are the names of who opened the run beside the one that the run has.
	OperatorNames []string `json:"operator_names,omitempty"`
	// Authors are who wrote the change of the workspace, as far as that was known then.
	Authors   []string        `json:"authors,omitempty"`
	Approvals []gate.Document `json:"approvals,omitempty"`
	// Verifications are documents: each carries nothing that is worth anything but
	// for this plan.
	Verifications []gate.Document `json:"verifications,omitempty"`
	Overrides     []gate.Document `json:"overrides,omitempty"`
	// BreakGlass is what is owed for the run; Review is what one that only reviews
	// another signs into evidence.
	BreakGlass *executor.BreakGlass `json:"break_glass,omitempty"`
	Review     json.RawMessage      `json:"review,omitempty"`
	Refused    map[string]string    `json:"refused,omitempty"`
	Facts      map[string]string    `json:"facts,omitempty"`
	Unattended bool                 `json:"unattended,omitempty"`
	// Policies are the sources, by name.
	Policies map[string]keptSource `json:"policies"`
	// Trust are the judges under which the run was opened, or that it made the state's.
	Trust json.RawMessage `json:"trust,omitempty"`
	// Denied is why the gates did not let the run begin; there is nothing to carry
	// out then, whatever the plan says.
	Denied []string `json:"denied,omitempty"`
	// Judged are the questions to the policies before the run was opened.
	Judged []plan.Judgement `json:"judged,omitempty"`
}

// keptSource is a policy source as a run keeps it.
type keptSource struct {
	Enforcement string            `json:"enforcement"`
	Rules       map[string]string `json:"rules,omitempty"`
	Revision    string            `json:"revision,omitempty"`
	Files       map[string]string `json:"files"`
}

func (s *session) meta(file *plan.File, req ApplyRequest, answer gate.Answer, refused map[string]string, denied []string, judged []plan.Judgement, glass *executor.BreakGlass) (json.RawMessage, error) {
	m := meta{Refused: refused, Facts: req.Facts, Unattended: req.Unattended, Policies: map[string]keptSource{}, Denied: denied, Judged: judged, Trust: s.trust.Keep(), BreakGlass: glass}
	m.OperatorNames = req.Operator.Also
	if file.Plan.TrustChange == nil { // that one is of the base itself, and not of what is beyond it
		m.Authors = s.base.writers()
	}
	m.Verifications = req.Proofs.keep(file)
	for _, a := range answer.Approvals {
		m.Approvals = append(m.Approvals, a.Document)
	}
	for _, o := range answer.Lifting.Overrides {
		m.Overrides = append(m.Overrides, o.Document)
	}
	for _, src := range s.sources {
		files, faults := policy.Files(src)
		if faults.HasErrors() {
			return nil, fmt.Errorf("policy source %s cannot be read", src.Name)
		}
		m.Policies[src.Name] = keptSource{src.Enforcement, src.Rules, src.Revision, files}
	}
	return json.Marshal(m)
}

// read are the files of a source that were read. An earlier version kept hidden ones too,
// which nobody was asked about.
func (k keptSource) read() map[string]string {
	if k.Revision != "" {
		return k.Files
	}
	files := maps.Clone(k.Files)
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") })
	return files
}

// sources are the policies that a run was planned under, in the order of their names.
func (m meta) sources() []policy.Source {
	var sources []policy.Source
	for _, name := range slices.Sorted(maps.Keys(m.Policies)) {
		kept := m.Policies[name]
		files := fstest.MapFS{}
		for path, text := range kept.read() {
			files[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
		}
		sources = append(sources, policy.Source{Name: name, FS: files, Enforcement: kept.Enforcement, Rules: kept.Rules, Path: name, Revision: kept.Revision})
	}
	return sources
}

// judges compiles the policies that a run was planned under: those of today may
// not be, and it is by its own that its result is judged. What is the same as known,
// to the byte, is known as well, and needs no process to be judged in.
func (m meta) judges(ctx context.Context, digest string, o policy.Options, known []policy.Source) (*policy.Set, diag.Diagnostics) {
	sources := m.sources()
	for i, kept := range sources {
		for _, src := range known {
			if src.Known && src.Name == kept.Name {
				files, faults := policy.Files(src)
				sources[i].Known = !faults.HasErrors() && maps.Equal(files, m.Policies[kept.Name].read())
			}
		}
	}
	set, diags := o.Compile(ctx, sources)
	if !diags.HasErrors() && set.Digest() != digest {
		return nil, diag.Errored(diag.ExitUnfinished, "The run's policies are damaged", "What the state keeps of them is not what the run was planned under.")
	}
	return set, diags
}

func decodeMeta(raw json.RawMessage) (meta, error) {
	var m meta
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("what the run kept besides its plan is damaged")
	}
	return m, nil
}
