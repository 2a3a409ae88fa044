// Command remint resets credentials as code: declared, planned, reviewed, gated
// by policy, applied, and proven.
package main

import (
	"os"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
	"github.com/remint-dev/remint/policies"
	"github.com/remint-dev/remint/providers/builtin"
	"github.com/remint-dev/remint/runbooks"
	"github.com/remint-dev/remint/schemas"
)

// version may be made more exact by the linker.
var version = "0.1.0"

func main() { os.Exit(command.Main(parts())) }

// parts are what this program is made of.
func parts() command.Parts {
	return command.Parts{Version: version, Registry: builtin.Registry(), Runbooks: runbooks.FS, Policies: policies.FS, Schemas: schemas.FS}
}
