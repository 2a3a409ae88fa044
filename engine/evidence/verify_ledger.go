package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
)

// readLedger checks the head's signature, computes the tree again from all
// entries, compares it with the head, the tiles and the head kept elsewhere, and
// collects the leaves.
func (v *verification) readLedger(ctx context.Context) error {
	raw, err := readSmall(filepath.Join(v.Dir, ledgerDir, layout.CheckpointPath))
	if errors.Is(err, fs.ErrNotExist) {
		begun, berr := Begun(v.Dir)
		if berr == nil && !begun {
			v.unbegun()
			return nil
		}
	}
	if err != nil {
		v.find(CodeLedger, ledgerDir, 0, "the ledger has no head: it is missing or was removed (%v)", reason(err))
		return nil
	}
	head := v.head(raw, ledgerDir+"/"+layout.CheckpointPath)
	if head == nil {
		return nil
	}
	v.report.Head = Head{Origin: head.Origin, Size: head.Size, Root: hex.EncodeToString(head.Hash)}
	var kept *log.Checkpoint
	if v.Checkpoint != nil {
		if kept = v.head(v.Checkpoint, ""); kept != nil && kept.Size > head.Size {
			v.find(CodeCheckpoint, ledgerDir, 0, "the checkpoint kept elsewhere covers %d leaves, the ledger has %d: it was cut, or an older copy was put back", kept.Size, head.Size)
		}
	}
	v.leaves = map[[sha256.Size]byte]uint64{}
	tree := &treeCheck{v: v, rows: &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}}
	tree.whole = tree.rows.NewEmptyRange(0)
	for at := uint64(0); ; {
		if kept != nil && kept.Size == at {
			tree.compare(kept, CodeCheckpoint, "the first %d leaves are not those of the checkpoint kept elsewhere: what was logged then was changed since")
		}
		if at == head.Size {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		index := at / layout.EntryBundleWidth
		n := min(head.Size-at, layout.EntryBundleWidth)
		entries, err := readEntries(filepath.Join(v.Dir, ledgerDir), index, int(n))
		if err != nil {
			v.find(CodeLedger, ledgerDir, 0, "the ledger is cut or damaged: %v", reason(err))
			v.leaves = nil
			return nil
		}
		for i, e := range entries {
			if i > 0 && kept != nil && kept.Size == at+uint64(i) {
				tree.compare(kept, CodeCheckpoint, "the first %d leaves are not those of the checkpoint kept elsewhere: what was logged then was changed since")
			}
			v.leaf(at+uint64(i), e)
			tree.add(0, rfc6962.DefaultHasher.HashLeaf(e))
		}
		at += n
	}
	tree.compare(head, CodeRoot, "the %d leaves are not those that the ledger's head was signed over: entries were edited, removed or moved")
	tree.finish()
	return nil
}

// unbegun checks an evidence directory that no run has come to yet: it is sound,
// unless somebody kept a head from when it held more.
func (v *verification) unbegun() {
	v.leaves = map[[sha256.Size]byte]uint64{}
	if v.Checkpoint == nil {
		return
	}
	if kept := v.head(v.Checkpoint, ""); kept != nil && kept.Size > 0 {
		v.find(CodeCheckpoint, ledgerDir, 0, "the checkpoint kept elsewhere covers %d leaves, and there is no ledger: it and every run were removed", kept.Size)
	}
}

// head parses a checkpoint and checks its signature. file is "" for the one that
// was kept elsewhere.
func (v *verification) head(raw []byte, file string) *log.Checkpoint {
	what := "the ledger's head"
	if file == "" {
		what = "the checkpoint kept elsewhere"
	}
	cp, _, signed, err := log.ParseCheckpoint(raw, v.LedgerKey.Name(), v.LedgerKey, v.Witnesses...)
	if err != nil {
		v.find(CodeCheckpoint, file, 0, "%s is damaged or was not signed with the ledger's key %s", what, v.LedgerKey.Name())
		return nil
	}
	if len(signed.Sigs) > 1 {
		v.report.Level = L2
	}
	return cp
}

// leaf takes a leaf, which must say its own place and name a bundle once.
func (v *verification) leaf(index uint64, raw []byte) {
	v.found = append(v.found, false)
	l, err := parseLeaf(raw)
	if err != nil {
		v.find(CodeLedger, ledgerDir, 0, "leaf %d: %v", index, err)
		return
	}
	if l.Seq != index {
		v.find(CodeLedgerSeq, ledgerDir, 0, "leaf %d has the sequence number %d", index, l.Seq)
	}
	var digest [sha256.Size]byte
	if _, err := hex.Decode(digest[:], []byte(l.SHA256)); err != nil {
		return
	}
	if _, twice := v.leaves[digest]; twice {
		v.find(CodeLedgerSeq, ledgerDir, 0, "leaf %d names record %s, which has a leaf already", index, l.Record)
		v.found[index] = true
		return
	}
	v.leaves[digest] = index
}

// treeCheck computes a tree's root and tiles as leaves are added.
type treeCheck struct {
	v     *verification
	rows  *compact.RangeFactory
	whole *compact.Range
	// open are the hashes of each level's last, unfinished tile, and done counts
	// the finished ones.
	open [][][]byte
	done []uint64
	bad  bool
}

// add takes the next hash of a level.
func (t *treeCheck) add(level int, hash []byte) {
	if level == 0 {
		if err := t.whole.Append(hash, nil); err != nil {
			t.damaged(0)
		}
	}
	if level == len(t.open) {
		t.open, t.done = append(t.open, nil), append(t.done, 0)
	}
	t.open[level] = append(t.open[level], hash)
	if len(t.open[level]) < layout.TileWidth {
		return
	}
	t.tile(level)
	root := t.rows.NewEmptyRange(0)
	for _, h := range t.open[level] {
		if err := root.Append(h, nil); err != nil {
			t.damaged(level)
		}
	}
	above, err := root.GetRootHash(nil)
	if err != nil {
		t.damaged(level)
	}
	t.open[level] = t.open[level][:0]
	t.done[level]++
	t.add(level+1, above)
}

// tile compares the tile of a level that t.open holds with its file.
func (t *treeCheck) tile(level int) {
	got, err := readHashes(filepath.Join(t.v.Dir, ledgerDir), uint64(level), t.done[level], len(t.open[level]))
	if err != nil || !bytes.Equal(got, bytes.Join(t.open[level], nil)) {
		t.damaged(level)
	}
}

// damaged is said once: a tile holds nothing that the entries do not say.
func (t *treeCheck) damaged(level int) {
	if !t.bad {
		t.bad = true
		t.v.find(CodeLedger, ledgerDir, 0, "a tile of level %d is missing or does not fit the entries", level)
	}
}

// finish compares the unfinished tiles.
func (t *treeCheck) finish() {
	for level := range t.open {
		if len(t.open[level]) > 0 {
			t.tile(level)
		}
	}
}

// compare compares the root over the leaves so far with a head's.
func (t *treeCheck) compare(cp *log.Checkpoint, code Code, format string) {
	root := rfc6962.DefaultHasher.EmptyRoot()
	if t.whole.End() > 0 {
		var err error
		if root, err = t.whole.GetRootHash(nil); err != nil {
			root = nil
		}
	}
	if !bytes.Equal(root, cp.Hash) {
		t.v.find(code, ledgerDir, 0, format, cp.Size)
	}
}
