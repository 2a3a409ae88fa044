package executor

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// listing is a target that lists versions, revokes and retires, and counts that. It
// gives probe as the answer to a login.
type listing struct {
	provider.Provider
	versions []provider.Version
	probe    provider.Verdict
	broken   error
	changed  int
}

// Inspect lists.
func (l *listing) Inspect(context.Context, provider.Credential) (provider.Observation, error) {
	return provider.Observation{Exists: true, Versions: l.versions, Now: noon}, nil
}

// Probe answers.
func (l *listing) Probe(context.Context, provider.Credential, secret.Material) (provider.Probe, error) {
	return provider.Probe{Verdict: l.probe, Basis: lifecycle.Tested}, l.broken
}

// VersionOf is the same for any.
func (l *listing) VersionOf(secret.Material) (string, error) { return "v2", nil }

// Revoke counts.
func (l *listing) Revoke(context.Context, provider.Mutation, []string) (provider.Applied, error) {
	l.changed++
	return provider.Applied{}, nil
}

// Retire counts.
func (l *listing) Retire(context.Context, provider.Mutation, []string) (provider.Applied, error) {
	l.changed++
	return provider.Applied{}, nil
}

// step is the step of a phase.
func step(phase lifecycle.Phase) config.Step {
	return config.Step{Addr: addrs.Step{Phase: string(phase), Name: "it"}, Phase: phase}
}

// Whatever is to be revoked, it is not while nobody can say whose the run is, and that
// does not pass for done.
func TestNothingIsRevokedForWhoeverHasTheRun(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(*reset) error{
		"a new one": func(r *reset) error {
			_, err := r.revoke(t.Context(), rollBackStep(), &attempt{number: 1})
			return err
		},
		"one that is retired": func(r *reset) error {
			r.job.File.Plan.Mode, r.past.baseline = lifecycle.Retire, &entry{}
			_, err := r.revoke(t.Context(), step(lifecycle.Revoke), &attempt{number: 1})
			return err
		},
		"what was left behind": func(r *reset) error {
			_, err := r.revokeOrphans(t.Context(), step(lifecycle.Issue))
			return err
		},
	} {
		for _, unheld := range []error{nil, errGone} {
			r := bare(lifecycle.Cutover, lifecycle.Minted)
			at := &listing{versions: []provider.Version{{ID: "v1", Label: r.label("issue.it") + ".1"}}}
			r.x, r.target = &Executor{Journal: holder{err: unheld}}, at
			if err := revoke(r); !errors.Is(err, unheld) || (err == nil) != (unheld == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if (at.changed == 0) != (unheld != nil) {
				t.Errorf("%s: changed %d times", name, at.changed)
			}
		}
	}
}

// A new secret that the target lists was set, though nobody gets in with it; by its
// name, or by the mark of the step.
func TestASecretThatIsListedWasSet(t *testing.T) {
	t.Parallel()
	mark := bare(lifecycle.Cutover, lifecycle.Overlapping).label("install.it")
	for name, tc := range map[string]struct {
		version provider.Version
		probe   provider.Verdict
		done    bool
	}{
		"by its name":           {provider.Version{ID: "v2"}, provider.Refused, true},
		"by its mark":           {provider.Version{ID: "v1", Label: mark + ".1"}, provider.Refused, true},
		"another":               {provider.Version{ID: "v1", Label: "other"}, provider.Refused, false},
		"another, but it opens": {provider.Version{ID: "v1"}, provider.Accepted, true},
	} {
		r := bare(lifecycle.Cutover, lifecycle.Overlapping)
		r.x, r.target = &Executor{Now: atNoon}, &listing{versions: []provider.Version{tc.version}, probe: tc.probe}
		if done, err := r.alreadySet(t.Context(), step(lifecycle.Install), secret.Material{}, &entry{}); done != tc.done || err != nil {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
}

// Where the old secret could not be tried, why is what is said.
func TestAnOldSecretThatCannotBeTried(t *testing.T) {
	t.Parallel()
	r := bare(lifecycle.Cutover, lifecycle.Overlapping)
	r.x, r.target = &Executor{Now: atNoon}, &listing{broken: provider.Errorf(provider.Permanent, "nobody answers")}
	r.past.baseline, r.secrets = &entry{OldKnown: true}, map[string]secret.Material{OldSecret: {}}
	if _, err := r.tryOld(t.Context(), &entry{}); err == nil || err.Error() != "nobody answers" || provider.ClassOf(err, "") != provider.Permanent {
		t.Error(err)
	}
}

// A gated step does not begin, and says why: its gates, or another run that was quicker.
func TestWhyAGatedStepDoesNotBegin(t *testing.T) {
	t.Parallel()
	shut := &Held{Why: "The gates are shut."}
	for name, tc := range map[string]struct {
		finished int64
		begun    bool
		want     error
	}{
		"its gates": {0, true, shut}, "another run": {1, false, errDrift}, "another run, in the middle": {1, true, errAnother},
	} {
		r := bare(lifecycle.Cutover, lifecycle.Overlapping)
		r.job.Held, r.job.Generations = shut, map[string]int64{r.address: tc.finished}
		if tc.begun {
			r.past.steps["install.it"] = progress{kind: journal.Done, intended: true}
		}
		if got := r.shut(); !errors.Is(got, tc.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Only the steps of a reset are found in it, and the one that takes a new version back.
func TestWhichStepsAreFound(t *testing.T) {
	t.Parallel()
	r := bare(lifecycle.Cutover, lifecycle.Overlapping)
	r.steps = []config.Step{step(lifecycle.Issue), step(lifecycle.Revoke)}
	for address, want := range map[string]bool{"issue.it": true, "revoke.it": true, "roll_back.new": true, "issue.other": false, "": false} {
		if st, ok := r.stepAt(address); ok != want || ok && st.Addr.String() != address {
			t.Errorf("%q: %v, %v", address, st.Addr, ok)
		}
	}
}

// Of a step that was kept from its effect, because nobody can say whose the run is,
// nothing more is written than that it was to begin: the run may be another's.
func TestNothingIsWrittenForWhoeverHasTheRun(t *testing.T) {
	t.Parallel()
	b := &book{unheld: errGone}
	r := ending(t, b)
	registry := provider.NewRegistry()
	registry.AddStore(provider.StoreDefinition{Name: "mem", Open: func(context.Context, provider.Block) (provider.Store, error) { return nil, nil }})
	r.x.Fleet, r.past.baseline = fleet.New(registry), &entry{}
	r.job.File.Plan.Mode = lifecycle.Retire // which needs no new secret
	a := attempt{number: 1}
	if class, err := r.try(t.Context(), r.steps[1], &a); class != "" || !errors.Is(err, errGone) {
		t.Errorf("%q, %v", class, err)
	}
	var kinds []journal.Kind
	for _, rec := range b.records {
		kinds = append(kinds, rec.Kind)
	}
	if diff := cmp.Diff([]journal.Kind{journal.Intend}, kinds); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
