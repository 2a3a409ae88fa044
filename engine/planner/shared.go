package planner

import (
	"strings"
	"sync"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// shared keeps one copy of lists of steps that are alike: those of ten thousand
// credentials of one type mostly are. What it gives out must not be changed. The
// zero value is ready to use, by many goroutines.
type shared struct {
	mu    sync.Mutex
	lists map[string]*alike
}

// alike is one list of steps as plans and as policies carry it.
type alike struct {
	steps  []plan.Step
	phases []lifecycle.Phase
	judged []policy.Step
}

// find gives the copy to use in place of list.
func (s *shared) find(list []plan.Step) *alike {
	var key strings.Builder
	for i := range list {
		st := &list[i]
		for _, part := range [...]string{st.Address, string(st.Phase), st.Target, st.Summary, strings.Join(st.DependsOn, "\x01"), strings.Join(st.Controls, "\x01")} {
			key.WriteString(part)
			key.WriteByte(0)
		}
		if st.Reversible {
			key.WriteByte(1)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.lists[key.String()]; a != nil {
		return a
	}
	a := &alike{steps: list, phases: []lifecycle.Phase{}, judged: make([]policy.Step, len(list))}
	for i, st := range list {
		if i == 0 || !samePhase(list[i-1], st) {
			a.phases = append(a.phases, st.Phase)
		}
		a.judged[i] = policy.Step{Address: st.Address, Phase: st.Phase, Reversible: st.Reversible, Controls: st.Controls}
	}
	if s.lists == nil {
		s.lists = map[string]*alike{}
	}
	s.lists[key.String()] = a
	return a
}

// samePhase reports whether two steps that follow each other belong to the same
// occurrence of a phase: the second one's addresses end in #2.
func samePhase(a, b plan.Step) bool {
	return a.Phase == b.Phase && strings.HasSuffix(a.Address, "#2") == strings.HasSuffix(b.Address, "#2")
}
