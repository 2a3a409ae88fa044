package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/journal"
)

// ledger is the Merkle log of bundles. Its caller holds the evidence
// directory's lock.
type ledger struct {
	dir string
	key note.Signer
}

// openLedger checks that the log in dir, if there is one, can be gone on with.
func openLedger(dir string, key note.Signer) (*ledger, error) {
	l := &ledger{dir: dir, key: key}
	if err := l.noLinks(); err != nil {
		return nil, err
	}
	size, err := l.size()
	if err != nil {
		return nil, err
	}
	return l, l.tail(size)
}

// noLinks refuses a log some of whose parts lie elsewhere: what is appended would
// follow the links.
func (l *ledger) noLinks() error {
	names := []string{layout.CheckpointPath, ".state", ".state/treeState", tilesDir}
	levels, err := os.ReadDir(filepath.Join(l.dir, tilesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	for _, e := range levels {
		names = append(names, tilesDir+"/"+e.Name())
	}
	for _, name := range names {
		path := filepath.Join(l.dir, filepath.FromSlash(name))
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link: put back what remint made there", path)
		}
	}
	return nil
}

// tail checks what the log's next leaves are built upon, its last entries and
// their hashes: whoever went on from a damaged log would hide the damage.
func (l *ledger) tail(size uint64) error {
	if size == 0 {
		return nil
	}
	index := (size - 1) / layout.EntryBundleWidth
	n := int(size - index*layout.EntryBundleWidth)
	entries, err := readEntries(l.dir, index, n)
	if err == nil {
		var hashes []byte
		if hashes, err = readHashes(l.dir, 0, index, n); err == nil {
			for i, e := range entries {
				if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(e), hashes[i*rfc6962.DefaultHasher.Size():(i+1)*rfc6962.DefaultHasher.Size()]) {
					err = fmt.Errorf("entry %d is not the one that was logged", index*layout.EntryBundleWidth+uint64(i))
					break
				}
			}
		}
	}
	if err != nil {
		return fmt.Errorf("the ledger in %s is damaged (%w): put back an undamaged copy of it", l.dir, err)
	}
	return nil
}

// head is the published checkpoint, the zero value if there is none.
func (l *ledger) head() (log.Checkpoint, error) {
	var cp log.Checkpoint
	raw, err := readSmall(filepath.Join(l.dir, layout.CheckpointPath))
	if errors.Is(err, fs.ErrNotExist) {
		return cp, nil
	}
	if err != nil {
		return cp, err
	}
	if _, err := cp.Unmarshal(raw); err != nil {
		return cp, fmt.Errorf("the ledger's checkpoint in %s is damaged: put back an undamaged copy of the ledger", l.dir)
	}
	if !signedBy(raw, l.key) {
		return cp, fmt.Errorf("the ledger in %s was begun with another key: use the key that it was begun with (%s), or begin a new evidence directory", l.dir, cp.Origin)
	}
	return cp, nil
}

// signedBy reports whether a note names key as its signer. That the signature is
// right is for verification to say.
func signedBy(raw []byte, key note.Signer) bool {
	_, err := note.Open(raw, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return false
	}
	for _, s := range unverified.Note.UnverifiedSigs {
		if s.Name == key.Name() && s.Hash == key.KeyHash() {
			return true
		}
	}
	return false
}

// size is the number of leaves in the log, published or not.
func (l *ledger) size() (uint64, error) {
	head, err := l.head()
	if err != nil {
		return 0, err
	}
	var counted state
	raw, err := readSmall(filepath.Join(l.dir, filepath.FromSlash(statePath)))
	if errors.Is(err, fs.ErrNotExist) && head.Size == 0 {
		return 0, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &counted)
	}
	if err != nil || counted.Size < head.Size {
		return 0, fmt.Errorf("the ledger in %s has a head over %d leaves but no state (.state/treeState) to go on from: put back an undamaged copy of the ledger", l.dir, head.Size)
	}
	return counted.Size, nil
}

// missing gives those of the bundles that are not in the log. It reads
// backwards: what was filed shortly before a crash is at the end.
func (l *ledger) missing(bundles []journal.Bundle) ([]journal.Bundle, error) {
	wanted := make(map[string]bool, len(bundles))
	for _, b := range bundles {
		wanted[LineDigest(b.Line)] = true
	}
	size, err := l.size()
	if err != nil {
		return nil, err
	}
	for end := size; end > 0 && len(wanted) > 0; {
		index := (end - 1) / layout.EntryBundleWidth
		entries, err := readEntries(l.dir, index, int(end-index*layout.EntryBundleWidth))
		if err != nil {
			return nil, err
		}
		for _, raw := range entries {
			leaf, err := parseLeaf(raw)
			if err != nil {
				return nil, fmt.Errorf("the ledger in %s is damaged: put back an undamaged copy of it", l.dir)
			}
			delete(wanted, leaf.SHA256)
		}
		end = index * layout.EntryBundleWidth
	}
	var out []journal.Bundle
	for _, b := range bundles {
		if wanted[LineDigest(b.Line)] {
			out = append(out, b)
		}
	}
	return out, nil
}

// append adds a leaf for each bundle, in order and all at once, and returns when
// a published checkpoint covers them, and whatever was in the log before. Each
// file is durable before the next one is written, and the head comes last: after
// a crash or a failure in between the log is what it was, or has leaves that no
// head covers yet, which the next call covers.
func (l *ledger) append(ctx context.Context, bundles []journal.Bundle) error {
	size, err := l.size()
	if err != nil {
		return err
	}
	entries, err := l.entries(bundles, size)
	if err != nil {
		return err
	}
	want := size + uint64(len(entries))
	if head, err := l.head(); err != nil || head.Size == want {
		return err
	}
	if err := l.grow(ctx, size, entries); err != nil {
		return fmt.Errorf("the ledger took no more leaves: %w", err)
	}
	if err := l.publish(ctx, want); err != nil {
		return fmt.Errorf("the ledger's checkpoint over %d leaves was not published: %w", want, err)
	}
	return l.prune(size, want)
}

// entries are the leaves of bundles, numbered from size; a bundle given twice
// has one.
func (l *ledger) entries(bundles []journal.Bundle, size uint64) ([][]byte, error) {
	var entries [][]byte
	had := make(map[string]bool, len(bundles))
	for _, b := range bundles {
		digest := LineDigest(b.Line)
		if had[digest] {
			continue
		}
		had[digest] = true
		data, err := leaf{Record: b.ID, Run: b.Run, Seq: size + uint64(len(entries)), SHA256: digest}.encode()
		if err != nil {
			return nil, err
		}
		if len(data) > maxEntry {
			return nil, fmt.Errorf("the name of record %.80s… is too long for the ledger", b.ID)
		}
		entries = append(entries, data)
	}
	return entries, nil
}

// prune removes partial tiles and entry bundles that full ones have replaced.
func (l *ledger) prune(from, to uint64) error {
	var errs []error
	remove := func(path string) {
		errs = append(errs, os.RemoveAll(filepath.Join(l.dir, filepath.FromSlash(path)+".p")))
	}
	from, to = from/layout.TileWidth, to/layout.TileWidth
	for i := from; i < to; i++ {
		remove(layout.EntriesPath(i, 0))
	}
	for level := uint64(0); from < to; level++ {
		for i := from; i < to; i++ {
			remove(layout.TilePath(level, i, 0))
		}
		from, to = from/layout.TileWidth, to/layout.TileWidth
	}
	return errors.Join(errs...)
}
