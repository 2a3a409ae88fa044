package engine

import (
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// noted is what an answer has to say that stops nothing: who was verified in place of the
// requester, and what approval policies warn of.
func noted(a gate.Answer) diag.Diagnostics {
	return append(elsewise(a.Instead, a.Glass != nil), objections(a.Warned)...)
}

// objections are the warnings of decisions, and the denials of policies that do not stop,
// each once with how many addresses it is about.
func objections(list []plan.Decision) diag.Diagnostics {
	type said struct{ source, rule, message string }
	var order []said
	about := map[said][]plan.Decision{}
	for _, d := range list {
		k := said{d.Source, d.Rule, d.Message}
		if about[k] == nil {
			order = append(order, k)
		}
		about[k] = append(about[k], d)
	}
	var diags diag.Diagnostics
	for i, k := range order {
		if i == maxIgnored {
			return diags.Warnf("Approval policies warn", "%d more warnings: remint policy eval -stage=approval PLAN shows all.", len(order)-i)
		}
		first := about[k][0]
		word := "Warned by policy "
		if first.Level == plan.Overridden {
			word = "Not stopped by policy " // an advisory one, which denies
		}
		text := strings.ReplaceAll(k.message, "\n", " ")
		if more := len(about[k]) - 1; more > 0 {
			text += fmt.Sprintf(" (And of %d more.)", more)
		}
		diags = append(diags, diag.Diagnostic{Severity: diag.Warning, Address: first.Address, Summary: word + k.source + "/" + k.rule, Detail: text})
	}
	return diags
}

// elsewise warns that somebody else was verified than the requester whom a plan names.
// Where the glass is to be broken that is nothing to mend.
func elsewise(other *gate.Instead, breaking bool) diag.Diagnostics {
	var diags diag.Diagnostics
	if other == nil {
		return diags
	}
	next := ""
	if !breaking {
		next = " Neither of them can approve, and while the requester herself is not verified each requirement asks for one approval more. Let her verify herself (remint verify PLAN), " +
			"or plan again with -requester=WHO for the one who was; an approver block that lists both names says that they are one person."
	}
	return diags.Warnf("Somebody else was verified", "%s.%s", capital(other.String()), next)
}
