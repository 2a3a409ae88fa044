package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/remint-dev/remint/internal/boundedfile"
)

// What a tile's file may have at most, in bytes.
const (
	maxHashes  = layout.TileWidth * 32
	maxEntries = layout.EntryBundleWidth * (2 + maxEntry) // each with its length
)

// copyLedger copies what verification reads of the ledger in the evidence directory
// from: its head and its tiles, and nothing that is called otherwise. A stranger may
// have put links there, and what they lead to may be a key: they are refused, as is
// what is larger than it can be. It verifies nothing.
func copyLedger(from, to string) error {
	dir := filepath.Join(from, ledgerDir)
	switch info, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing was logged yet
	case err != nil:
		return err
	case !info.IsDir():
		return notCopied(".", info.Mode())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	to = filepath.Join(to, ledgerDir)
	for _, part := range []string{layout.CheckpointPath, tilesDir} {
		info, err := root.Lstat(part)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return notCopied(part, info.Mode()) // walking begins with what a link leads to
		}
		if err := fs.WalkDir(root.FS(), part, func(name string, d fs.DirEntry, err error) error {
			switch limit := ledgerFile(name); {
			case err != nil:
				return err
			case d.IsDir():
				return nil
			case !d.Type().IsRegular():
				return notCopied(name, d.Type())
			case limit == 0:
				return nil
			default:
				return copyOne(root, name, limit, filepath.Join(to, filepath.FromSlash(name)))
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// tilesDir is where the tiles are.
const tilesDir = "tile"

// notCopied says why a part of the ledger, which remint does not leave so, is refused.
func notCopied(name string, mode fs.FileMode) error {
	what := "is not a regular file"
	switch {
	case mode&fs.ModeSymlink != 0:
		what = "is a symbolic link"
	case name == ".":
		what = "is not a folder"
	}
	return fmt.Errorf("%s %s: put back an undamaged copy of the ledger", filepath.Join(ledgerDir, name), what)
}

// ledgerFile is how many bytes a file of the ledger may have at most, by its name; 0 for
// one that verification never reads.
func ledgerFile(name string) int {
	if name == layout.CheckpointPath {
		return maxSmall
	}
	level, index, _ := strings.Cut(strings.TrimPrefix(name, tilesDir+"/"), "/")
	if level == "entries" {
		if _, _, err := layout.ParseTileIndexPartial(index); err != nil {
			return 0
		}
		return maxEntries
	}
	if _, _, _, err := layout.ParseTileLevelIndexPartial(level, index); err != nil {
		return 0
	}
	return maxHashes
}

// copyOne copies a regular file of at most limit bytes.
func copyOne(root *os.Root, name string, limit int, to string) error {
	data, err := boundedfile.ReadIn(root, name, int64(limit))
	switch {
	case errors.Is(err, boundedfile.ErrIrregular):
		return notCopied(name, fs.ModeIrregular)
	case errors.Is(err, boundedfile.ErrTooLarge):
		return fmt.Errorf("%s is larger than it can be: put back an undamaged copy of the ledger", filepath.Join(ledgerDir, name))
	case err != nil:
		return fmt.Errorf("%s: %w", filepath.Join(ledgerDir, name), err)
	}
	return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), newFile(to, data))
}
