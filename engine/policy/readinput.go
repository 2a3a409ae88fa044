package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/internal/jsonstream"
)

// maxInput is how large an input document may be that somebody wrote, and maxInputResets
// how many resets it may have.
const (
	maxInput       = 64 << 20
	maxInputResets = 100_000
)

// ReadInput reads an input document, as schemas/examples has them: what policies are
// to be asked about as it is. Members that are not known are refused, and those that
// its stage does not have; what is missing is empty. Resets are taken one by one: it ends
// with the first that could not be asked about.
func ReadInput(raw []byte) (*Input, error) {
	if len(raw) > maxInput {
		return nil, fmt.Errorf("it has more than %d MiB", maxInput>>20)
	}
	d := jsonstream.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var in Input
	err := jsonstream.Object(d, &in, map[string]func() error{"resets": func() error {
		in.Resets = []Reset{}
		seen := map[string]bool{}
		return jsonstream.List(d, func(r Reset, _ int64) error {
			switch {
			case r.Address == "" || seen[r.Address]:
				return fmt.Errorf("reset %d has no address of its own", len(in.Resets))
			case len(in.Resets) == maxInputResets:
				return fmt.Errorf("there are more than %d resets", maxInputResets)
			}
			seen[r.Address] = true
			in.Resets = append(in.Resets, r)
			return nil
		})
	}})
	if err != nil {
		return nil, fmt.Errorf("it is no policy input: %w", err)
	}
	if err := jsonstream.End(d); err != nil {
		return nil, err
	}
	return &in, in.check()
}

// check finds what no engine would ask about.
func (in *Input) check() error {
	switch {
	case in.Version != InputVersion:
		return fmt.Errorf("its version is %q; this program knows %q", in.Version, InputVersion)
	case !stageKnown(in.Stage):
		return fmt.Errorf("its stage is %q; it must be one of %q", in.Stage, stages)
	case !in.Reason.Valid():
		return fmt.Errorf("its reason is %q, which is none", in.Reason)
	case in.Mode != in.Reason.Mode():
		return fmt.Errorf("its mode is %q; that of the reason %s is %s", in.Mode, in.Reason, in.Reason.Mode())
	case in.Stage == StagePlan && (in.Requirements != nil || in.Operator != "" || in.Approvals != nil || in.Verification != nil || in.Unattended):
		return fmt.Errorf("%s has none of requirements, operator, approvals, verification and unattended", in.Stage)
	case in.Stage != StageApproval && in.Now != nil:
		return fmt.Errorf("now is in %s only", StageApproval)
	case in.Stage == StageApproval && in.Now == nil:
		return errors.New("it has no now, which policies of approval see")
	case in.Stage == StageResult && len(in.Resets) != 1:
		return fmt.Errorf("it has %d resets; results are judged one by one", len(in.Resets))
	}
	for i := range in.Resets {
		r := &in.Resets[i]
		switch {
		case in.Stage == StageResult && r.Result == nil:
			return fmt.Errorf("%s has no result", r.Address)
		case in.Stage != StageResult && r.Result != nil:
			return fmt.Errorf("%s has a result, which is in %s only", r.Address, StageResult)
		}
	}
	return nil
}

// Document is the input as its schema has it, and as ReadInput reads it: what is empty
// is there.
func (in *Input) Document() ([]byte, error) {
	twin := *in
	twin.Resets = slices.Clone(in.Resets)
	for i := range twin.Resets {
		r := &twin.Resets[i]
		r.Labels, r.Attributes = orNone(r.Labels), orNone(r.Attributes)
		r.Stores, r.Consumers = append([]string{}, r.Stores...), append([]string{}, r.Consumers...)
		r.Observed.Versions = append([]string{}, r.Observed.Versions...)
		r.Steps = append([]Step{}, r.Steps...)
		for k := range r.Steps {
			r.Steps[k].Controls = append([]string{}, r.Steps[k].Controls...)
		}
	}
	return json.MarshalIndent(twin, "", "  ")
}

func orNone[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}
