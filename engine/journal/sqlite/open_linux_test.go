package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// In a folder of the kernel's nothing can be made, whoever asks.
func TestPlacesWhereNothingCanBeMade(t *testing.T) {
	proc := fmt.Sprintf("/proc/%d", os.Getpid())
	for path, says := range map[string]string{
		filepath.Join(proc, "state.db"): "the state cannot be made", filepath.Join(proc, "x", "state.db"): "the state's folder cannot be made: mkdir ",
		filepath.Join(proc, "x", "y", "state.db"): "the state's folder cannot be made: mkdir ",
	} {
		if j, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || j != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
