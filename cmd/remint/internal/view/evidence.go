package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// EvidenceList shows the runs that there is evidence of.
func (v *View) EvidenceList(list []evidence.Summary, debts []evidence.Debt) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "runs": list, "reviews_owed": orNone(debts)})
		return
	}
	var rows [][]string
	for _, s := range list {
		outcome, opened := s.Outcome, "-"
		if outcome == "" {
			outcome = "open"
		}
		if !s.OpenedAt.IsZero() {
			opened = s.OpenedAt.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{s.Run, outcome, s.Reason, fmt.Sprint(s.Resets), cmp.Or(s.Trust, "-"), opened, s.Operator})
	}
	v.table("RUN | OUTCOME | REASON | RESETS | TRUST | OPENED | OPERATOR", rows)
	v.owed(debts)
}

// EvidenceReport shows what verification found.
func (v *View) EvidenceReport(r *evidence.Report) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "sound": r.Sound(), "report": r})
		return
	}
	st := v.out()
	switch {
	case r.Runs == 0 && r.Head.Size == 0 && r.Sound():
		v.Text(st.yellow("There is no evidence here: ") + "0 runs. Nothing was filed yet, or all of it is gone; nothing speaks against it, and nothing for it.\n")
	case r.Sound():
		v.Text(st.green("The evidence is sound: ") + fmt.Sprintf("%s in %s, %s.\n", plural(r.Bundles, "signed record"), plural(r.Runs, "run"), plural(r.Resets, "reset")))
	default:
		v.Text(st.paint("1;31", fmt.Sprintf("The evidence is NOT sound: %s.\n", plural(len(r.Findings)+r.More, "finding"))))
		shown := r.Findings[:min(len(r.Findings), maxFindings)]
		for _, f := range shown {
			v.Text("  " + safe(f.String()) + "\n")
		}
		if more := len(r.Findings) - len(shown) + r.More; more > 0 {
			v.Text(fmt.Sprintf("  … and %d more\n", more))
		}
	}
	if r.Asserted > 0 {
		v.Text(fmt.Sprintf("Asserted: %s of people, where nobody could observe anything.\n", plural(r.Asserted, "signed answer")))
	}
	if r.Unchecked > 0 {
		v.Text(fmt.Sprintf("Not checked: %s, signed with what no known approver has: -approver-key=FILE and -approver-identity=IDENTITY,ISSUER name those who left, -trusted-root=FILE what certificates are verified by.\n",
			plural(r.Unchecked, "approval")))
	}
	for _, u := range r.TrustedRoots {
		v.Text(fmt.Sprintf("Certificates: %d verified by the trusted root %s (%s)\n", u.Documents, u.Digest, safe(u.Source)))
	}
	v.trusts(r.Trust)
	v.owed(r.Debts)
	if r.Head.Size > 0 {
		v.Text(fmt.Sprintf("Ledger: %s, %d leaves, root %s\n", safe(r.Head.Origin), r.Head.Size, safe(r.Head.Root)))
	}
	for _, k := range r.Keys {
		v.Text(fmt.Sprintf("Key %s: %s\n", safe(k.KeyID), plural(k.Bundles, "signed record")))
	}
	v.Text(fmt.Sprintf("Worth: %s, %s.\n", r.Level, r.Level.Meaning()))
}

// trusts counts runs by where their judges come from.
func (v *View) trusts(counts map[string]int) {
	var list []string
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, safe(word)+": "+plural(counts[word], "run"))
	}
	if len(list) > 0 {
		v.Text("Trust: " + strings.Join(list, ", ") + ".\n")
	}
}

// maxFindings is how many findings a person is shown; -json has more.
const maxFindings = 100

// EvidenceRecords shows what records say.
func (v *View) EvidenceRecords(list []*evidence.Entry) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "records": list})
		return
	}
	for _, e := range list {
		v.Text(fmt.Sprintf("%s:%d  %s\n", safe(e.File), e.Line, safe(e.Record.Name())))
		switch r := e.Record.(type) {
		case *evidence.Run:
			by := "by " + r.Operator
			if e.Signed != nil {
				by = signedBy(e.Signed) + ", in a run by " + r.Operator
			}
			v.Text(fmt.Sprintf("    %s %s at %s, trust: %s\n", safe(r.Event), safe(by), r.Recorded.UTC().Format(time.RFC3339), safe(r.Trust)))
			v.judged(r.Judged)
		case *evidence.Step:
			v.step(r)
			v.answered(e.Signed)
		case *evidence.Reset:
			v.Text(fmt.Sprintf("    %s, proof %s, of %s at %s, trust: %s\n", safe(r.Outcome), safe(r.Proof), safe(r.Address), r.Recorded.UTC().Format(time.RFC3339), safe(r.Trust)))
			if r.AssertedBy != "" {
				v.Text("      asserted by " + safe(r.AssertedBy) + "\n")
				v.answered(e.Signed)
			}
			v.judged(r.Judged)
			if r.Question != nil {
				v.Text("      asks about " + safe(r.Question.Subject()) + ": " + safe(r.Question.Asks) + "\n")
			}
		}
	}
	v.Note("This shows what the records say. `remint evidence verify` tells whether they are genuine and complete.")
}

// signedBy says whose signed word a record carries, and what it is signed with. The name
// is her own word: what she signs with is what tells who she is.
func signedBy(w *evidence.Word) string {
	return "by one who calls herself " + w.Name + ", signed with " + w.By.String()
}

// answered says who signed the answer that a record rests on, if it rests on one.
func (v *View) answered(w *evidence.Word) {
	if w != nil {
		v.Text("      answer " + safe(signedBy(w)) + "\n")
	}
}

func (v *View) step(r *evidence.Step) {
	outcome := r.Outcome
	if r.Answer != "" {
		outcome += " " + r.Answer + " by " + r.AssertedBy
	}
	line := fmt.Sprintf("    %s at %s", safe(outcome), r.FinishedAt.UTC().Format(time.RFC3339))
	if r.Error != "" {
		line += ": " + safe(r.Error)
	} else if d := r.Facts["detail"]; d != "" {
		line += ": " + safe(d)
	}
	v.Text(line + "\n")
	for _, p := range r.Probes {
		v.Text(fmt.Sprintf("      %s %s at %s (%s) %s\n", safe(p.Subject), safe(p.Verdict), safe(p.Endpoint), safe(p.Basis), safe(p.Detail)))
	}
	v.judged(r.Judged)
}

// judged shows the questions to the policies, with the ids that the decision log knows.
func (v *View) judged(list []plan.Judgement) {
	for _, j := range list {
		v.Text(fmt.Sprintf("      decision %s of %s: %s in %s (input %s, policies %s)\n", safe(j.ID), safe(j.Stage), safe(j.Result),
			time.Duration(j.Took).Round(time.Microsecond), safe(j.InputDigest), safe(j.PolicyDigest)))
		for _, d := range j.Decisions {
			v.Text(fmt.Sprintf("        %s %s/%s: %s\n", safe(string(d.Level)), safe(d.Source), safe(d.Rule), safe(d.Message)))
		}
	}
}

// Exported says what export wrote.
func (v *View) Exported(x engine.Exported, out string) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "runs": x.Runs, "trust": x.Trust, "directory": out})
		return
	}
	v.Text(fmt.Sprintf("Exported %s into %s.\n", plural(x.Runs, "run"), safe(out)))
	v.trusts(x.Trust)
}

// Approved says what was signed.
func (v *View) Approved(a *engine.SignedApproval, path string) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "file": path, "trust": a.Trust, "approval": a.Approval, "decisions": a.Kept})
		return
	}
	if a.Kept != "" {
		path += ", and in " + a.Kept
	}
	word := "approves"
	switch a.Approval.Decision {
	case evidence.Reject:
		word = "rejects"
	case evidence.Withdraw:
		v.Note(fmt.Sprintf("%s takes back what she decided of this plan: %s (trust: %s)", a.Approver, path, a.Trust))
		return
	}
	v.Note(fmt.Sprintf("%s %s this plan until %s: %s (trust: %s)", a.Approver, word, a.Approval.ExpiresAt.UTC().Format(time.RFC3339), path, a.Trust))
}

// PolicyTest shows the outcome of Rego tests.
func (v *View) PolicyTest(r *policy.TestReport) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "passed": r.Passed(), "report": r})
		return
	}
	st := v.out()
	counts := map[string]int{}
	for _, t := range r.Tests {
		counts[t.Outcome]++
		if t.Outcome == "pass" {
			continue
		}
		place := ""
		if t.Range != nil {
			place = " at " + safe(t.Range.String())
		}
		v.Text(st.red(safe(t.Outcome)) + " " + safe(t.Package+"."+t.Name) + place + " " + safe(t.Detail) + "\n")
	}
	for _, rule := range r.Rules {
		if !rule.Covered {
			what := rule.Package + "." + rule.Name
			if rule.Title != "" {
				what += " " + rule.Title
			}
			if rule.Range != nil {
				what += " at " + rule.Range.String()
			}
			v.Text(st.yellow("not covered ") + safe(what) + "\n")
		}
	}
	v.Text(fmt.Sprintf("%d passed, %d failed, %d skipped; %.0f %% of lines covered\n", counts["pass"], counts["fail"]+counts["error"], counts["skip"], r.Coverage))
}

// Checkpoint shows the head of the ledger, to be kept elsewhere: the signed note, as
// verify takes it.
func (v *View) Checkpoint(note []byte) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "checkpoint": string(note)})
		return
	}
	v.Text(string(note))
}
