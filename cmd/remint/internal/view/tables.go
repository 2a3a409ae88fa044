package view

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// table writes rows in columns to stdout.
func (v *View) table(head string, rows [][]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, " | ", "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = safe(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush() // into memory
	v.Text(b.String())
}

// Status shows what is known of every credential.
func (v *View) Status(list []engine.CredentialStatus, debts []evidence.Debt) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "credentials": list, "reviews_owed": orNone(debts)})
		return
	}
	var rows [][]string
	due, open := 0, 0
	for _, c := range list {
		age, state := "unknown", []string{}
		if c.AgeSeconds >= 0 {
			age = ago(time.Duration(c.AgeSeconds) * time.Second)
		}
		if c.Due {
			due++
			state = append(state, "due")
		}
		if c.Mode == string(lifecycle.Retire) {
			state = append(state, "retired")
		}
		if len(c.OpenRuns) > 0 {
			open++
			state = append(state, "open: "+strings.Join(c.OpenRuns, ", "))
		}
		for _, q := range c.Questions {
			if len(q.Answers) > 0 {
				state = append(state, "answered: remint resume "+q.Run)
			} else {
				state = append(state, "asks about "+q.Subject()+": remint runs "+q.Run)
			}
		}
		if c.Sealed {
			state = append(state, "new secret sealed")
		}
		if len(c.Old) > 0 {
			state = append(state, "old secret sealed")
		}
		proof := c.Proof
		if proof == "" {
			proof = "-"
		}
		rows = append(rows, []string{c.Address, age, proof, cmp.Or(c.Trust, "-"), c.Environment, strings.Join(state, "; ")})
	}
	v.table("CREDENTIAL | LAST RESET | PROOF | TRUST | ENVIRONMENT | STATE", rows)
	v.sealedCopies(list, "replaced and still sealed in the state", func(c engine.CredentialStatus) []engine.SealedCopy { return c.Replaced })
	v.sealedCopies(list, "to be killed and may still work, sealed in the state", func(c engine.CredentialStatus) []engine.SealedCopy { return c.Old })
	v.Note(fmt.Sprintf("%s, %d due, %d in open runs", plural(len(list), "credential"), due, open))
	v.owed(debts)
}

// sealedCopies lists sealed secrets of one kind, with what forgets them or takes them out.
func (v *View) sealedCopies(list []engine.CredentialStatus, what string, of func(engine.CredentialStatus) []engine.SealedCopy) {
	n := 0
	for _, c := range list {
		n += len(of(c))
	}
	if n == 0 {
		return
	}
	v.Text(fmt.Sprintf("%s %s:\n", was(n, "secret"), what))
	listed := 0
	for _, c := range list {
		for _, x := range of(c) {
			if listed++; listed > maxListed {
				v.Text(fmt.Sprintf("  … and %d more: remint status -json\n", n-maxListed))
				return
			}
			v.Text(fmt.Sprintf("  %s, of run %s: %s\n    %s\n", safe(c.Address), safe(x.Run), safe(cmp.Or(x.Replaced, x.Outcome)), safe(x.Command)))
		}
	}
}

// was is "1 secret was" or "3 secrets were".
func was(n int, one string) string {
	if n == 1 {
		return plural(n, one) + " was"
	}
	return plural(n, one) + " were"
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}

// Runs lists runs, or with detail the steps of one.
func (v *View) Runs(list []engine.RunStatus, detail bool, debts []evidence.Debt) {
	defer func() {
		if !v.JSON {
			v.owed(debts)
		}
	}()
	if v.JSON {
		if list == nil {
			list = []engine.RunStatus{}
		}
		v.document(map[string]any{"format_version": "1.0", "runs": list, "reviews_owed": orNone(debts)})
		return
	}
	if len(list) == 0 {
		v.Note("There are no runs yet.")
		return
	}
	if !detail {
		var rows [][]string
		for _, r := range list {
			rows = append(rows, []string{r.ID, r.Outcome, cmp.Or(r.Trust, "-"), r.OpenedAt.UTC().Format(time.RFC3339), r.Operator})
		}
		v.table("RUN | OUTCOME | TRUST | OPENED | OPERATOR", rows)
		return
	}
	for _, r := range list {
		v.Text(v.out().bold("run "+safe(r.ID)) + ": " + safe(r.Outcome) + ", opened " + r.OpenedAt.UTC().Format(time.RFC3339) + " by " + safe(r.Operator) + ", trust: " + safe(r.Trust) + "\n")
		for _, x := range r.Resets {
			by := ""
			if x.AssertedBy != "" {
				by = ", as " + x.AssertedBy + " says"
			}
			v.Text("  " + safe(x.Address) + ": " + safe(x.Outcome+by) + "\n")
			for _, s := range x.Steps {
				line := fmt.Sprintf("    %s  %-32s %s", s.At.UTC().Format("15:04:05"), safe(s.Step), safe(s.Outcome))
				if s.Answer != "" {
					line += " " + safe(s.Answer+" by "+s.AssertedBy)
				}
				if s.Error != "" {
					line += ": " + safe(s.Error)
				}
				v.Text(line + "\n")
			}
			if x.Sealed {
				v.Text("    its new secret is sealed in the state: " + safe("remint recover -run="+r.ID+" -out=FILE "+event.Shell(x.Address)) + "\n")
			}
			if x.SealedOld {
				v.Text("    its old secret is sealed in the state: " + safe("remint recover -old -run="+r.ID+" -out=FILE "+event.Shell(x.Address)) + "\n")
			}
			if x.Question != nil {
				v.openQuestion("    ", x.Question)
			}
		}
	}
}

// Version shows the version.
func (v *View) Version(version, goVersion, platform string) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "version": version, "go": goVersion, "platform": platform})
		return
	}
	v.Text(fmt.Sprintf("remint %s (%s, %s)\n", version, goVersion, platform))
}
