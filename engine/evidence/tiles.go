package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
)

// readEntries reads the first n entries of an entry bundle, from its partial
// file or from one that replaced it.
func readEntries(dir string, index uint64, n int) ([][]byte, error) {
	raw, err := readTile(dir, func(p uint8) string { return layout.EntriesPath(index, p) }, n, maxEntries)
	if err != nil {
		return nil, err
	}
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil || len(b.Entries) < n {
		return nil, fmt.Errorf("entries %d and after are cut or damaged", index*layout.EntryBundleWidth)
	}
	return b.Entries[:n], nil
}

// readHashes reads the first n hashes of a tile.
func readHashes(dir string, level, index uint64, n int) ([]byte, error) {
	raw, err := readTile(dir, func(p uint8) string { return layout.TilePath(level, index, p) }, n, maxHashes)
	if err == nil && len(raw) < n*32 {
		err = fmt.Errorf("tile %d/%d is cut", level, index)
	}
	if err != nil {
		return nil, err
	}
	return raw[:n*32], nil
}

// readTile reads the file that path names for n entries, or the full one.
func readTile(dir string, path func(p uint8) string, n, limit int) ([]byte, error) {
	open := func(p uint8) ([]byte, error) {
		f, err := openRegular(filepath.Join(dir, filepath.FromSlash(path(p))))
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		raw, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
		if err == nil && len(raw) > limit {
			err = fmt.Errorf("%s is larger than a tile can be", path(p))
		}
		return raw, err
	}
	if n == layout.TileWidth {
		n = 0
	}
	raw, err := open(uint8(n))
	if n != 0 && errors.Is(err, fs.ErrNotExist) {
		raw, err = open(0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing", path(uint8(n)))
	}
	return raw, err
}
