package executor

import (
	"cmp"
	"context"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// revoke kills the old versions. Revoking what is revoked succeeds, so an
// uncertain attempt is simply made again.
func (r *reset) revoke(ctx context.Context, st config.Step, a *attempt) (entry, error) {
	var e entry
	mode := r.mode()
	revoker, ok := r.target.(provider.Revoker)
	m := r.mutation(st.Addr.String(), a.number)
	if st.Addr == rollBackStep().Addr {
		if !ok {
			return e, errCapability("revoke")
		}
		e.fact("versions", "%v", []string{r.current()})
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		applied, err := revoker.Revoke(ctx, m, []string{r.current()})
		return r.applied(e, applied, err)
	}
	if r.inPlace() && mode == lifecycle.Cutover {
		e.fact("detail", "fulfilled by install, which replaced the old one")
		return e, nil
	}
	if mode == lifecycle.Cutover {
		if err := r.judge(ctx, false, &e.Judged); err != nil {
			return e, err
		}
	}
	if retirer, ok := r.target.(provider.Retirer); ok && mode == lifecycle.Retire {
		var versions []string
		if !r.inPlace() { // the target may list some of them under another name
			versions = r.old()
			e.fact("versions", "%v", versions)
		}
		if err := r.mine(ctx); err != nil {
			return e, err
		}
		applied, err := retirer.Retire(ctx, m, versions)
		return r.applied(e, applied, err)
	}
	if !ok {
		return e, errCapability("revoke")
	}
	var versions []string
	if !r.inPlace() {
		versions = r.old()
		e.fact("versions", "%v", versions)
		if len(versions) == 0 {
			e.fact("detail", "there was no old one")
			return e, nil
		}
	}
	if err := r.mine(ctx); err != nil {
		return e, err
	}
	applied, err := revoker.Revoke(ctx, m, versions)
	return r.applied(e, applied, err)
}

func (r *reset) applied(e entry, a provider.Applied, err error) (entry, error) {
	e.At = a.At
	if a.Detail != "" {
		e.fact("detail", "%s", a.Detail)
	}
	return e, err
}

// old lists the versions that this reset is to kill.
func (r *reset) old() []string {
	var out []string
	current := r.current()
	for _, v := range r.past.baseline.Before {
		if v != current {
			out = append(out, v)
		}
	}
	return out
}

// current is the version that this reset made, "" before there is one.
func (r *reset) current() string {
	return cmp.Or(r.of(lifecycle.Install).Version, r.of(lifecycle.Issue).Version)
}

// proof is the weakest proof there is so far, "" before any, and where one that was made
// again did not come out.
func (r *reset) proof() lifecycle.Proof {
	out := lifecycle.Proof("")
	for _, st := range r.steps {
		past := r.past.steps[st.Addr.String()]
		switch {
		case st.Phase != lifecycle.Prove:
			continue
		case past.done():
		case past.once:
			return ""
		default:
			continue
		}
		if out == "" || past.entry.Proof != lifecycle.Tested {
			out = past.entry.Proof
		}
	}
	return out
}
