package evidence

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"github.com/remint-dev/remint/engine/journal"
)

// TestLedgerIsTessera: what the ledger writes is, byte for byte, what the library
// of the format writes for the same leaves, and either goes on from the other's.
func TestLedgerIsTessera(t *testing.T) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	must(t, flags.Set("stderrthreshold", "FATAL"))
	key, _ := testLedgerKey(t)
	ours, theirs := t.TempDir(), t.TempDir()
	size := 0
	for i, n := range []int{1, 2, 5, 247, 1, 1, 255, 256, 300, 700, 65536 - 1768 - 1, 1, 1, 400} {
		bundles := make([]journal.Bundle, n)
		for j := range bundles {
			id := fmt.Sprintf("run/record/%d", size+j)
			bundles[j] = journal.Bundle{ID: id, Run: "run", Line: []byte(`{"id":"` + id + `"}`)}
		}
		l, err := openLedger(ours, key)
		must(t, err)
		must(t, l.append(context.Background(), bundles))
		entries, err := l.entries(bundles, uint64(size)) //nolint:gosec // small
		must(t, err)
		library(t, theirs, key, entries)
		size += n
		other := tree(t, theirs)
		for name, want := range tree(t, ours) {
			got, ok := other[name]
			if !ok && strings.Contains(name, ".p/") {
				continue // we remove what a full tile replaced, the library leaves that
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("after %d leaves, %s (-ours +theirs):\n%s", size, name, diff)
			}
		}
		if i%2 == 1 { // the other one goes on
			ours, theirs = theirs, ours
		}
	}
}

// library appends with tessera.
func library(t *testing.T, dir string, key note.Signer, entries [][]byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	must(t, err)
	appender, stop, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().WithCheckpointSigner(key).
		WithBatching(uint(len(entries)), time.Hour).WithCheckpointInterval(100*time.Millisecond).WithGarbageCollectionInterval(0))
	must(t, err)
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	var last tessera.IndexFuture
	for _, e := range entries {
		last = appender.Add(ctx, tessera.NewEntry(e))
	}
	_, _, err = await.Await(ctx, last)
	must(t, err)
	must(t, stop(ctx))
}

// tree is the content of every file of a log but the library's own.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch filepath.Base(name) {
		case "version", "treeState.lock", "publish.lock", "gcState.lock", "gcState":
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(b)
		return err
	}))
	return out
}
