package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"
)

// forgeLedger puts a ledger over these entries in the place of the one that is
// there, as somebody with the ledger's key can, and gives the heads over the first
// of them: as many as asked for.
func (w *world) forgeLedger(t *testing.T, entries [][]byte) (head func(n int) []byte) {
	t.Helper()
	rows := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	root := func(hashes [][]byte) []byte {
		r := rows.NewEmptyRange(0)
		for _, h := range hashes {
			must(t, r.Append(h, nil))
		}
		sum, err := r.GetRootHash(nil)
		must(t, err)
		if sum == nil {
			sum = rfc6962.DefaultHasher.EmptyRoot()
		}
		return sum
	}
	write := func(path string, b []byte) {
		path = w.path("ledger", filepath.FromSlash(path))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, b, 0o644))
	}
	must(t, os.RemoveAll(w.path("ledger")))
	level := make([][]byte, 0, len(entries))
	for at := 0; at < len(entries); at += layout.EntryBundleWidth {
		part := entries[at:min(at+layout.EntryBundleWidth, len(entries))]
		var b []byte
		for _, e := range part {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(e))), e...)
			level = append(level, rfc6962.DefaultHasher.HashLeaf(e))
		}
		write(layout.EntriesPath(uint64(at/layout.EntryBundleWidth), uint8(len(part))), b)
	}
	leaves := level
	for l := uint64(0); len(level) > 0; l++ {
		var above [][]byte
		for at := 0; at < len(level); at += layout.TileWidth {
			part := level[at:min(at+layout.TileWidth, len(level))]
			write(layout.TilePath(l, uint64(at/layout.TileWidth), uint8(len(part))), bytes.Join(part, nil))
			if len(part) == layout.TileWidth {
				above = append(above, root(part))
			}
		}
		level = above
	}
	head = func(n int) []byte {
		text := fmt.Sprintf("%s\n%d\n%s\n", w.ledger.Name(), n, base64.StdEncoding.EncodeToString(root(leaves[:n])))
		b, err := note.Sign(&note.Note{Text: text}, w.key)
		must(t, err)
		return b
	}
	write(layout.CheckpointPath, head(len(entries)))
	return head
}

func encoded(t *testing.T, l leaf) []byte {
	t.Helper()
	b, err := l.encode()
	must(t, err)
	return b
}

// TestVerifyForgedLeaves: whoever holds the ledger's key can log what is not so;
// what contradicts itself or the records is found.
func TestVerifyForgedLeaves(t *testing.T) {
	sound := newForgery().file(t)
	entries, err := readEntries(sound.path("ledger"), 0, 5)
	must(t, err)
	var leaves []leaf
	for _, e := range entries {
		l, err := parseLeaf(e)
		must(t, err)
		leaves = append(leaves, l)
	}
	const file = "r1/" + forgedFile
	for name, tc := range map[string]struct {
		forge func(l []leaf) []leaf
		more  []byte
		want  []blame
		says  string
	}{
		"nothing": {func(l []leaf) []leaf { return l }, nil, nil, ""},
		"a record is there twice": {func(l []leaf) []leaf {
			l = append(l, l[2])
			l[5].Seq = 5
			return l
		}, nil, []blame{{CodeLedgerSeq, "ledger", 0}}, "leaf 5 names record r1/credential.htpasswd_user.a/install.user#1"},
		"a wrong number":       {func(l []leaf) []leaf { l[2].Seq = 9; return l }, nil, []blame{{CodeLedgerSeq, "ledger", 0}}, "leaf 2 has the sequence number 9"},
		"what is no leaf":      {func(l []leaf) []leaf { return l }, []byte("junk"), []blame{{CodeLedger, "ledger", 0}}, "leaf 5: the leaf is not what remint writes"},
		"an empty leaf":        {func(l []leaf) []leaf { return l }, []byte{}, []blame{{CodeLedger, "ledger", 0}}, "leaf 5: "},
		"a record is left out": {func(l []leaf) []leaf { return l[:4] }, nil, []blame{{CodeUnledgered, file, 3}}, "is not in the ledger"},
		"a record of the run": {func(l []leaf) []leaf {
			return append(l, leaf{Record: "r1/x", Run: "r1", Seq: 5, SHA256: strings.Repeat("0", 64)})
		}, nil, []blame{{CodeMissing, "r1", 0}}, "record r1/x is in the ledger"},
		"a record of no run": {func(l []leaf) []leaf {
			return append(l, leaf{Record: "r7/x", Run: "r7", Seq: 5, SHA256: strings.Repeat("0", 64)})
		}, nil, []blame{{CodeMissing, "r7", 0}}, "the ledger has 1 records of it"},
		"the same, and no leaf": {func(l []leaf) []leaf {
			return append(l, leaf{Record: "r7/x", Run: "r7", Seq: 5, SHA256: strings.Repeat("0", 64)})
		}, []byte("{}"), []blame{{CodeLedger, "ledger", 0}, {CodeMissing, "r7", 0}}, "leaf 6: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := sound.clone(t)
			var entries [][]byte
			for _, l := range tc.forge(append([]leaf(nil), leaves...)) {
				entries = append(entries, encoded(t, l))
			}
			if tc.more != nil {
				entries = append(entries, tc.more)
			}
			w.forgeLedger(t, entries)
			r := w.verify(t)
			if d := cmp.Diff(tc.want, blames(r)); d != "" || len(tc.want) > 0 && !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Errorf("%v\n%s", r.Findings, d)
			}
		})
	}
}

// TestVerifyTree: in a ledger of many tiles every head that was kept holds, and
// one that is not of this ledger does not; a damaged tile is found wherever it is,
// and said once.
func TestVerifyTree(t *testing.T) {
	const size, gone = 2*256 + 88, 3 // the findings that the runs themselves are gone
	sound := newForgery().file(t)
	must(t, os.RemoveAll(sound.path("r1")))
	forge := func(w *world, name string) func(int) []byte {
		var entries [][]byte
		for i := range size {
			run := fmt.Sprint(name, i/256)
			entries = append(entries, encoded(t, leaf{Record: fmt.Sprint(run, "/", i), Run: run, Seq: uint64(i), SHA256: fmt.Sprintf("%064x", i)}))
		}
		return w.forgeLedger(t, entries)
	}
	heads, others := forge(sound, "r"), forge(sound.clone(t), "s")
	for _, n := range []int{0, 1, 255, 256, 257, 511, 512, 513, size - 1, size} {
		w := *sound
		w.kept = heads(n)
		r := w.verify(t)
		var counts []string
		for _, f := range r.Findings {
			counts = append(counts, f.File+strings.TrimPrefix(f.Message, "the whole run is gone: the ledger has"))
		}
		if d := cmp.Diff([]string{"r0 256 records of it", "r1 256 records of it", "r2 88 records of it"}, counts); d != "" || r.Head.Size != size {
			t.Errorf("the head of %d leaves does not hold: %v", n, r.Findings)
		}
		if n == 0 || n > 1 && n%256 > 1 {
			continue // nothing is all the same, and these seams are enough
		}
		w.kept = others(n)
		if r := w.verify(t); len(r.Findings) != gone+1 || !strings.Contains(r.Findings[0].Message, fmt.Sprintf("the first %d leaves are not those", n)) {
			t.Errorf("another ledger's head of %d leaves holds: %v", n, r.Findings)
		}
	}
	for _, tiles := range [][]string{{"0/000"}, {"0/001"}, {"0/002.p/88"}, {"1/000.p/2"}, {"0/000", "0/001", "1/000.p/2"}} {
		for name, damage := range map[string]func(path string, b []byte) error{
			"removed": func(path string, _ []byte) error { return os.Remove(path) },
			"edited":  func(path string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(path, b, 0o644) },
			"cut":     func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)-32], 0o644) },
		} {
			if name != "edited" && tiles[0] != "0/001" {
				continue // one is enough for how it is read
			}
			w := sound.clone(t)
			for _, tile := range tiles {
				path := w.path("ledger/tile", tile)
				b, err := os.ReadFile(path)
				must(t, err)
				must(t, damage(path, b))
			}
			if r := w.verify(t); len(r.Findings) != gone+1 || r.Findings[0].Code != CodeLedger || !strings.Contains(r.Findings[0].Message, "a tile of level "+tiles[0][:1]) {
				t.Errorf("%s %s: %v", name, tiles, r.Findings)
			}
		}
	}
	for _, bundle := range []string{"000", "001", "002.p/88"} {
		w := sound.clone(t)
		must(t, os.Remove(w.path("ledger/tile/entries", bundle)))
		if r := w.verify(t); len(r.Findings) != 1 || r.Findings[0].Code != CodeLedger || !strings.Contains(r.Findings[0].Message, "cut or damaged") {
			t.Errorf("entries %s: %v", bundle, r.Findings)
		}
	}
}
