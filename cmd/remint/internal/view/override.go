package view

import (
	"fmt"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/policy"
)

// OverrideSigned says what an override lifts, and what it leaves.
func (v *View) OverrideSigned(s *engine.SignedOverride, path string) {
	o := s.Override
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "file": path, "trust": s.Trust, "override": o, "left": denialNames(s.Left)})
		return
	}
	v.Note(fmt.Sprintf("%s overrides until %s: %s (trust: %s)", o.Approver, o.ExpiresAt.UTC().Format(time.RFC3339), path, s.Trust))
	v.denials("  lifts ", o.Denials)
	if len(s.Left) > 0 {
		v.Note("It is void while nobody names the rest:")
		v.denials("  denied ", denialNames(s.Left))
	}
}

// OverridesBeside tells of overrides that lie beside a plan, as they claim to be.
func (v *View) OverridesBeside(documents []gate.Document) {
	for _, d := range documents {
		o, err := evidence.ParseOverride(d.Content)
		if err != nil {
			v.Note(fmt.Sprintf("Beside it lies %s, which is of no use: %s", d.Name, err))
			continue
		}
		v.Note(fmt.Sprintf("Beside it lies %s: %s overrides until %s, because %s (%s). `remint approvals` tells whether that counts.",
			d.Name, o.Approver, o.ExpiresAt.UTC().Format(time.RFC3339), o.Reason, o.Ticket))
		v.denials("  lifts ", o.Denials)
	}
}

// overriding shows what overrides do to a plan's denials.
func (v *View) overriding(l gate.Lifting) {
	st := v.out()
	line := func(word, text string) { v.Text("  " + word + " " + text + "\n") }
	for _, o := range counted(l) {
		line(st.green("overridden"), fmt.Sprintf("by %s until %s: %s (%s)", safe(o.Approver.Name), o.Signed.ExpiresAt.UTC().Format(time.RFC3339), safe(o.Signed.Reason), safe(o.Signed.Ticket)))
	}
	for i, d := range l.Lifted {
		if i == maxListed {
			line(st.yellow("lifted"), fmt.Sprintf("%d more denials", len(l.Lifted)-i))
			break
		}
		line(st.yellow("lifted"), safe(d.Name().String()+": "+d.Message))
	}
	for _, s := range l.Ignored {
		line(st.yellow("ignored"), safe(s))
	}
	for _, s := range l.Void {
		line(st.red("void"), safe(s))
	}
	for i, d := range l.Left {
		if i == maxListed {
			line(st.red("denied"), fmt.Sprintf("%d more times", len(l.Left)-i))
			break
		}
		line(st.red("denied"), safe(d.Name().String()+stage(d)+": "+d.Message))
	}
}

// counted are the overrides that lift something.
func counted(l gate.Lifting) []gate.Override {
	if len(l.Void) > 0 {
		return nil
	}
	return l.Overrides
}

// stage says which policies deny, where it is not what the plan shows.
func stage(d gate.Denial) string {
	if d.Stage == string(policy.StageApproval) {
		return ", by an approval policy"
	}
	return ""
}

func (v *View) denials(lead string, list []evidence.Denial) {
	for i, d := range list {
		if i == maxListed {
			v.Note(fmt.Sprintf("%s%d more", lead, len(list)-i))
			return
		}
		v.Note(lead + d.String())
	}
}

func denialNames(list []gate.Denial) []evidence.Denial {
	out := []evidence.Denial{}
	for _, d := range list {
		out = append(out, d.Name())
	}
	return out
}

// liftingDocument is overriding for machines.
func liftingDocument(l gate.Lifting) map[string]any {
	overrides, lifted, denied := []map[string]any{}, []map[string]any{}, []map[string]any{}
	for _, o := range counted(l) {
		overrides = append(overrides, map[string]any{"approver": o.Approver.Name, "reason": o.Signed.Reason, "ticket": o.Signed.Ticket, "expires_at": o.Signed.ExpiresAt, "denials": o.Signed.Denials})
	}
	for _, d := range l.Lifted {
		lifted = append(lifted, map[string]any{"denial": d.Name(), "message": d.Message, "by": d.By})
	}
	for _, d := range l.Left {
		denied = append(denied, map[string]any{"denial": d.Name(), "message": d.Message, "overridable": d.Overridable})
	}
	return map[string]any{"counted": overrides, "ignored": list(l.Ignored), "void": list(l.Void), "lifted": lifted, "denied": denied}
}
