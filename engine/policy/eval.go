package policy

import (
	"context"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// Verdict is what all sources say together.
type Verdict struct {
	// Decisions are sorted by source, level, rule, address and message.
	Decisions []plan.Decision
	// Requirements are the strictest of all.
	Requirements plan.Requirements
	// Judgement is what evidence keeps of the question; there after a fault, too.
	Judgement plan.Judgement
}

// Denied reports whether any decision stops the run.
func (v Verdict) Denied() bool {
	for _, d := range v.Decisions {
		if d.Level == plan.Deny {
			return true
		}
	}
	return false
}

// Eval asks every source about in.Stage, and about each of also, which are twins of in
// with no other resets than its own: the strictest of all counts. It has no side effects, and
// the same input gives the same result. Any fault asks for diag.ExitDenied and names
// the source; then the result is not to be used. Where ctx is over it asks for
// diag.ExitError.
func (s *Set) Eval(ctx context.Context, in *Input, also ...*Input) (Verdict, diag.Diagnostics) {
	return s.EvalLifted(ctx, in, nil, also...)
}

// EvalLifted is Eval for who may lift denials: lift is told the verdict, unless there is
// a fault, and says what is lifted, so that the log has both in one line.
func (s *Set) EvalLifted(ctx context.Context, in *Input, lift func(Verdict) []RecordLifted, also ...*Input) (Verdict, diag.Diagnostics) {
	verdict, _, diags := s.eval(ctx, false, lift, in, also...)
	return verdict, diags
}

// eval judges, and has the decision logged. answers are in the order of the
// sources; rules that were asked about several inputs stand there once.
func (s *Set) eval(ctx context.Context, explain bool, lift func(Verdict) []RecordLifted, in *Input, also ...*Input) (Verdict, []answer, diag.Diagnostics) {
	begun := time.Now()
	digested := make(chan string, 1)
	go func() { digested <- digest(append([]*Input{in}, also...)...) }()
	verdict, answers, diags := s.unite(ctx, explain, in, also...)
	judged := s.judgement(in, begun, <-digested)
	var lifted []RecordLifted
	if lift != nil && !diags.HasErrors() {
		lifted = lift(verdict)
	}
	if diags = s.logged(in, &judged, verdict, lifted, diags); diags.HasErrors() {
		if ctx.Err() != nil { // nobody denied anything
			diags = diag.Errored(diag.ExitError, "Interrupted", "The policies were being asked when this was interrupted; nothing was decided.")
		}
		return Verdict{Judgement: judged}, nil, diags
	}
	verdict.Judgement = judged
	return verdict, answers, diags
}

// unite unites what the sources say of every input; with a fault that is no verdict.
func (s *Set) unite(ctx context.Context, explain bool, in *Input, also ...*Input) (Verdict, []answer, diag.Diagnostics) {
	u := newUnion(in)
	answers, diags := s.into(ctx, u, explain, in)
	for _, x := range also {
		u.also(x)
		more, faults := s.into(ctx, u, explain, x)
		diags = append(diags, faults...)
		for i := range more {
			for j := range min(len(more[i].asked), len(answers[i].asked)) {
				answers[i].asked[j].also(&more[i].asked[j])
			}
		}
	}
	return u.result(), answers, diags
}

// into asks the known sources here and the others in their own process, side by
// side, about one input, and adds what they say.
func (s *Set) into(ctx context.Context, u *union, explain bool, in *Input) ([]answer, diag.Diagnostics) {
	if !stageKnown(in.Stage) {
		return nil, denied("Unknown policy stage", "There is no stage %q.", in.Stage)
	}
	if s.unread.HasErrors() {
		return nil, s.unread
	}
	answers := make([]answer, len(s.sources))
	faults := make([]diag.Diagnostics, len(s.sources))
	var here sync.WaitGroup
	here.Go(func() { s.evalKnown(ctx, in, explain, answers, faults) })
	if s.remote != nil {
		s.remote.eval(ctx, in, explain, answers, faults)
	}
	here.Wait()
	var diags diag.Diagnostics
	for i, src := range s.sources {
		diags = append(diags, faults[i]...)
		in.translate(answers[i].findings)
		if err := u.add(src, answers[i].findings); err != nil {
			diags = append(diags, unanswered(src.name, in.Stage, err)...)
		}
	}
	return answers, diags
}

// evalKnown asks the sources that are judged in this process.
func (s *Set) evalKnown(ctx context.Context, in *Input, explain bool, answers []answer, faults []diag.Diagnostics) {
	about := sync.OnceValues(func() (*subject, error) { return subjectOf(in) })
	for i, src := range s.sources {
		if src.known == nil {
			continue
		}
		c, diags := src.known()
		if faults[i] = diags; diags.HasErrors() || c.queries[in.Stage] == nil {
			continue
		}
		subject, err := about()
		if err != nil {
			faults[i] = denied("Policy input cannot be made", "%v.", err)
			continue
		}
		answers[i], faults[i] = c.judge(ctx, subject, s.limits.of(len(in.Resets)), explain)
	}
}

// of is the bound of one evaluation about n resets.
func (l Limits) of(n int) bound {
	return bound{time: l.Time + time.Duration(n)*l.TimePerReset, memory: l.Memory + uint64(n)*l.MemoryPerReset}
}

func subjectOf(in *Input) (*subject, error) {
	t, err := term(in)
	if err != nil {
		return nil, err
	}
	s := &subject{stage: in.Stage, term: t, addresses: make(map[string][]Step, len(in.Resets))}
	for i := range in.Resets {
		s.addresses[in.Resets[i].Address] = in.Resets[i].Steps
	}
	return s, nil
}

func stageKnown(stage Stage) bool {
	return stage == StagePlan || stage == StageApproval || stage == StageResult
}
