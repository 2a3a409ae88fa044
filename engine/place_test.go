package engine

import (
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal/postgresql"
)

// What the trust digest takes for the default is what is opened by default.
func TestDefaultSchema(t *testing.T) {
	if config.DefaultStateSchema != postgresql.DefaultSchema {
		t.Errorf("%s and %s", config.DefaultStateSchema, postgresql.DefaultSchema)
	}
}
