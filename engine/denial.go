package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/diag"
)

// evidenceDenial leaves evidence of an application that the gates refused. A
// failure to do so is told, but does not change the exit code: nothing happened.
func (a *Application) evidenceDenial(ctx context.Context, faults diag.Diagnostics) diag.Diagnostics {
	why := []string{}
	for _, d := range faults {
		if d.Severity == diag.Error {
			why = append(why, d.Summary+": "+d.Detail)
		}
	}
	job, diags := a.job(why)
	if diags.HasErrors() {
		return diags
	}
	x, diags := a.session.executor(job.Run)
	if diags.HasErrors() {
		return diags
	}
	defer x.close()
	if err := x.Deny(ctx, job, why); err != nil {
		return diags.Warnf("The denial is not evidenced", "%s.", err)
	}
	return nil
}
