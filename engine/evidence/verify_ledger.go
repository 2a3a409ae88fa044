package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	if err != nil {
		if begun, berr := Begun(v.Dir); berr == nil && !begun {
			v.unbegun()
			return nil
		}
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
	tree := newTreeCheck(v)
	var entries [][]byte
	for at := uint64(0); ; at++ {
		if kept != nil && kept.Size == at {
			tree.compare(kept, CodeCheckpoint, "the first %d leaves are not those of the checkpoint kept elsewhere: what was logged then was changed since")
		}
		if at == head.Size {
			break
		}
		place := at % layout.EntryBundleWidth
		if place == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(head.Size-at, layout.EntryBundleWidth)
			if entries, err = readEntries(filepath.Join(v.Dir, ledgerDir), at/layout.EntryBundleWidth, int(n)); err != nil {
				v.find(CodeLedger, ledgerDir, 0, "the ledger is cut or damaged: %v", reason(err))
				v.leaves, v.found = nil, nil
				return nil
			}
		}
		v.leaf(at, entries[place])
		tree.add(entries[place])
	}
	tree.compare(head, CodeRoot, "the %d leaves are not those that the ledger's head was signed over: entries were edited, removed or moved")
	tree.finish()
	return nil
}

// unbegun checks an evidence directory that no run has come to yet: it is sound,
// unless somebody kept a head from when it held more.
func (v *verification) unbegun() {
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
	digest := l.digest()
	if _, twice := v.leaves[digest]; twice {
		v.find(CodeLedgerSeq, ledgerDir, 0, "leaf %d names record %s, which has a leaf already", index, l.Record)
		v.found[index] = true
		return
	}
	v.leaves[digest] = index
}

// treeCheck computes a tree's root and tiles as leaves are added. The library's
// errors are for ranges that were put together wrong, and would end in a root that
// does not fit.
type treeCheck struct {
	v     *verification
	whole *compact.Range
	// open are the hashes of each level's last, unfinished tile, and done counts
	// the finished ones. A level of tiles is eight of the tree, which has 64.
	open [64/layout.TileHeight + 1][][]byte
	done [64/layout.TileHeight + 1]uint64
	bad  bool
}

func newTreeCheck(v *verification) *treeCheck {
	rows := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	return &treeCheck{v: v, whole: rows.NewEmptyRange(0)}
}

// add takes the next leaf.
func (t *treeCheck) add(entry []byte) {
	_ = t.whole.Append(rfc6962.DefaultHasher.HashLeaf(entry), t.node)
}

// node takes the next finished node of a level of the tree. Every eighth level
// stands in tiles.
func (t *treeCheck) node(id compact.NodeID, hash []byte) {
	if id.Level%layout.TileHeight != 0 {
		return
	}
	level := id.Level / layout.TileHeight
	t.open[level] = append(t.open[level], hash)
	if len(t.open[level]) == layout.TileWidth {
		t.tile(int(level))
		t.open[level] = t.open[level][:0]
		t.done[level]++
	}
}

// tile compares the tile of a level that t.open holds with its file; one that
// cannot be read fits nothing.
func (t *treeCheck) tile(level int) {
	got, _ := readHashes(filepath.Join(t.v.Dir, ledgerDir), uint64(level), t.done[level], len(t.open[level]))
	if !bytes.Equal(got, bytes.Join(t.open[level], nil)) && !t.bad {
		t.bad = true // said once: a tile holds nothing that the entries do not say
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
	root, _ := t.whole.GetRootHash(nil)
	if root == nil {
		root = rfc6962.DefaultHasher.EmptyRoot()
	}
	if !bytes.Equal(root, cp.Hash) {
		t.v.find(code, ledgerDir, 0, format, cp.Size)
	}
}
