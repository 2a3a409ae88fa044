package evidence

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/remint-dev/remint/engine/addrs"
)

// Checkpoint is the ledger's signed head as it stands in the evidence directory
// dir: text to be kept elsewhere, which Verify takes back later. It is for printing
// as it is, so one with characters that remint's heads never have is refused. The
// error is fs.ErrNotExist when nothing was logged yet.
func Checkpoint(dir string) ([]byte, error) {
	raw, err := readSmall(filepath.Join(dir, ledgerDir, layout.CheckpointPath))
	if err != nil {
		return nil, err
	}
	var cp log.Checkpoint
	text := strings.ReplaceAll(string(raw), "\n", " ")
	if _, err := cp.Unmarshal(raw); err != nil || addrs.Visible(text) != text {
		return nil, errors.New("the ledger's head is damaged: `remint evidence verify` tells what is wrong")
	}
	return raw, nil
}
