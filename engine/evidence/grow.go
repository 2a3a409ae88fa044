package evidence

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"path"
	"path/filepath"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/internal/atomicfile"
)

// maxEntry is the size of the largest leaf that C2SP's tlog-tiles has room for.
const maxEntry = math.MaxUint16

// statePath is where a state is.
const statePath = ".state/treeState"

// state is how many leaves were counted, published or not, and
// the root over them. Tessera, which reads and writes the same files, has it there too.
type state struct {
	Size uint64 `json:"size"`
	Root []byte `json:"root"`
}

// grow writes leaves after the first size: their bundles, the tiles of hashes that
// change by them, and last that they count. What a crash left of an earlier
// attempt is replaced.
func (l *ledger) grow(ctx context.Context, size uint64, entries [][]byte) error {
	if len(entries) > 0 {
		if err := l.bundle(ctx, size, entries); err != nil {
			return err
		}
		if err := l.hash(ctx, size, entries); err != nil {
			return err
		}
	}
	size += uint64(len(entries))
	root, err := l.root(size)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(state{Size: size, Root: root})
	if err != nil {
		return err
	}
	return l.put(ctx, statePath, raw)
}

// publish signs the head over all that counts.
func (l *ledger) publish(ctx context.Context, size uint64) error {
	root, err := l.root(size)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: string(log.Checkpoint{Origin: l.key.Name(), Size: size, Hash: root}.Marshal())}, l.key)
	if err != nil {
		return err
	}
	return l.put(ctx, layout.CheckpointPath, signed)
}

// bundle writes the entries themselves.
func (l *ledger) bundle(ctx context.Context, size uint64, entries [][]byte) error {
	index, n := size/layout.EntryBundleWidth, int(size%layout.EntryBundleWidth)
	var content []byte
	if n > 0 {
		had, err := readEntries(l.dir, index, n)
		if err != nil {
			return err
		}
		for _, e := range had {
			content = appendEntry(content, e)
		}
	}
	for i, e := range entries {
		content = appendEntry(content, e)
		if n++; n < layout.EntryBundleWidth && i < len(entries)-1 {
			continue
		}
		if err := l.put(ctx, layout.EntriesPath(index, partial(n)), content); err != nil {
			return err
		}
		if n == layout.EntryBundleWidth {
			index, n, content = index+1, 0, nil
		}
	}
	return nil
}

func appendEntry(to, entry []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(entry))), entry...) //nolint:gosec // entries checked it
}

// partial is a tile's width as layout wants it: 0 for a full one.
func partial(n int) uint8 { return uint8(n % layout.TileWidth) } //nolint:gosec // it is less than 256

// hash writes the tiles: on the lowest level the hashes of leaves, on each further
// one those of the full tiles below it.
func (l *ledger) hash(ctx context.Context, size uint64, entries [][]byte) error {
	var hashes [][]byte
	for _, e := range entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(e))
	}
	for level := uint64(0); len(hashes) > 0; level++ {
		at := size >> (layout.TileHeight * level)
		index, tile := at/layout.TileWidth, [][]byte{}
		if n := int(at % layout.TileWidth); n > 0 {
			had, err := readHashes(l.dir, level, index, n)
			if err != nil {
				return err
			}
			tile = split(had)
		}
		var full [][]byte
		for i, h := range hashes {
			if tile = append(tile, h); len(tile) < layout.TileWidth && i < len(hashes)-1 {
				continue
			}
			var content []byte
			for _, h := range tile {
				content = append(content, h...)
			}
			if err := l.put(ctx, layout.TilePath(level, index, partial(len(tile))), content); err != nil {
				return err
			}
			if len(tile) == layout.TileWidth {
				full = append(full, perfect(tile))
				index, tile = index+1, nil
			}
		}
		hashes = full
	}
	return nil
}

func split(raw []byte) (out [][]byte) {
	width := rfc6962.DefaultHasher.Size()
	for ; len(raw) > 0; raw = raw[width:] {
		out = append(out, raw[:width:width])
	}
	return out
}

// perfect is the root over hashes, of which there are a power of two.
func perfect(hashes [][]byte) []byte {
	for len(hashes) > 1 {
		half := make([][]byte, len(hashes)/2)
		for i := range half {
			half[i] = rfc6962.DefaultHasher.HashChildren(hashes[2*i], hashes[2*i+1])
		}
		hashes = half
	}
	return hashes[0]
}

// root is that of the first size leaves, from the last tile of each level: RFC 6962
// folds the perfect trees, of which each is larger than the next, from the right.
func (l *ledger) root(size uint64) ([]byte, error) {
	if size == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	var root []byte // of everything to the right of what comes next
	for level := uint64(0); size>>(layout.TileHeight*level) > 0; level++ {
		at := size >> (layout.TileHeight * level)
		n := int(at % layout.TileWidth)
		if n == 0 {
			continue
		}
		raw, err := readHashes(l.dir, level, at/layout.TileWidth, n)
		if err != nil {
			return nil, err
		}
		hashes := split(raw)
		for width := 1; len(hashes) > 0; width *= 2 {
			if len(hashes)&width == 0 {
				continue
			}
			last := perfect(hashes[len(hashes)-width:])
			hashes = hashes[:len(hashes)-width]
			if root == nil {
				root = last
			} else {
				root = rfc6962.DefaultHasher.HashChildren(last, root)
			}
		}
	}
	return root, nil
}

// put replaces a file of the log, whole and durably, and makes its folders.
func (l *ledger) put(ctx context.Context, name string, content []byte) error {
	var folders []string
	for f := path.Dir(name); f != "."; f = path.Dir(f) {
		folders = append(folders, f)
	}
	for i := len(folders) - 1; i >= 0; i-- {
		if err := mkdir(filepath.Join(l.dir, filepath.FromSlash(folders[i]))); err != nil {
			return err
		}
	}
	return atomicfile.Replace(ctx, filepath.Join(l.dir, filepath.FromSlash(name)), atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
