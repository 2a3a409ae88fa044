package executor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// keep decides which secrets of a reset that ended stay sealed, since somebody may
// still need them; the others are erased together with the record of the end.
func (r *reset) keep(outcome Outcome, cause error) (made, old bool) {
	if r.oldMayWork(outcome, cause) {
		old = len(r.past.old) > 0
	} else {
		r.erase(OldSecret)
		for _, name := range r.past.old {
			if name != OldSecret {
				r.erase(name)
			}
		}
	}
	if issued := r.issued(); issued != "" {
		if made = !r.needless(outcome); !made {
			r.erase(issued)
		}
	}
	return made, old
}

func (r *reset) erase(name string) {
	r.batch.Erase = append(r.batch.Erase, journal.Sealed{Run: r.job.Run, Address: r.address, Name: name})
}

// oldMayWork reports whether the old secret, or one that may be it, may be what the
// target accepts, though no store may have it any more. A proof that it is dead is of
// before the target refused the new one: whoever changed that may have put the old
// one back.
func (r *reset) oldMayWork(outcome Outcome, cause error) bool {
	switch outcome {
	case Abandoned:
		return true
	case Superseded:
		return r.proof() == "" && r.proved == "" || !errors.Is(cause, errAnother)
	}
	return false
}

// needless reports whether the sealed copy of the new secret may be forgotten:
// it was never set, or was taken back, or each field that it takes to authenticate is
// in a store that this run wrote to. What a person asserted is no store's word.
func (r *reset) needless(outcome Outcome) bool {
	switch outcome {
	case Failed, Refused, RolledBack:
		return true
	case Superseded:
		return false
	}
	stored := map[string]bool{}
	for _, st := range r.steps {
		if st.Phase == lifecycle.Distribute && r.past.steps[st.Addr.String()].kind == journal.Done {
			stored[st.Store.Field] = true
		}
	}
	return !slices.ContainsFunc(r.Credential.Type.Fields, func(f provider.Field) bool {
		// A public field that authenticating needs (a certificate) is as good as lost too.
		return (!f.Public || f.Probe) && !stored[f.Name]
	})
}

// withKept adds to why a reset was superseded what of it stays sealed, and how to
// get it.
func (r *reset) withKept(cause error) error {
	made, old := r.issued() != "", r.oldMayWork(Superseded, cause) && len(r.past.old) > 0
	switch {
	case made && old:
		return fmt.Errorf("%w. What this run made stays sealed (`remint recover`), and so does the old secret, which may work again (`remint recover -old`)", cause)
	case made:
		return fmt.Errorf("%w. What this run made stays sealed (`remint recover`)", cause)
	case old:
		return fmt.Errorf("%w. The old secret stays sealed, since it may work (`remint recover -old`)", cause)
	}
	return cause
}
