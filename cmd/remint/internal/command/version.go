package command

import (
	"context"
	"flag"
	"runtime"

	"github.com/remint-dev/remint/engine/diag"
)

func versionVerb() *verb {
	return &verb{
		name: "version", synopsis: "the version of this program",
		help: `Shows the version.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			a.jsonFlag(fs)
			return func(_ context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				a.view.Version(a.parts.Version, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
				return diag.ExitOK
			}
		},
	}
}
