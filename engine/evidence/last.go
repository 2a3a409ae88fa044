package evidence

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
)

// LastRecord names the record that the ledger in dir ends with, "" where there is
// none yet. Whoever wrote it knew the record before: a state that does not is older
// than the ledger. It verifies nothing; a ledger that is damaged is refused when it
// is opened.
func LastRecord(dir string) (string, error) {
	dir = filepath.Join(dir, ledgerDir)
	size, err := ledgerSize(dir)
	if err != nil || size == 0 {
		return "", err
	}
	index := (size - 1) / layout.EntryBundleWidth
	entries, err := readEntries(dir, index, int(size-index*layout.EntryBundleWidth))
	if err != nil {
		return "", err
	}
	l, err := parseLeaf(entries[len(entries)-1])
	return l.Record, err
}

// ledgerSize is how many leaves the ledger in dir has, 0 where there is none yet.
func ledgerSize(dir string) (uint64, error) {
	var state struct {
		Size uint64 `json:"size"`
	}
	raw, err := readSmall(filepath.Join(dir, ".state", "treeState"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &state)
	}
	return state.Size, err
}
