package evidence

import (
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
)

// Checkpoint is the ledger's signed head as it stands in the evidence directory
// dir: text to be kept elsewhere, which Verify takes back later. The error is
// fs.ErrNotExist when nothing was logged yet.
func Checkpoint(dir string) ([]byte, error) {
	return readSmall(filepath.Join(dir, ledgerDir, layout.CheckpointPath))
}
