package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/internal/flock"
)

const ledgerDir = "ledger"

// Archive files signed bundles: into the evidence directory's files and into its
// ledger. Processes that share the directory take turns.
type Archive struct {
	dir    string
	ledger *ledger
	// failed is the first failure to sync, after which nothing can be known to be
	// durable: the system forgets what it could not write.
	failed atomic.Pointer[syncError]
	// late is whether the lock was waited for in vain before.
	late     atomic.Bool
	patience flock.Patience
	// fault is called before every durable write; tests fail it to play a crash.
	fault func(point string) error
}

// OpenArchive opens an evidence directory, making it if there is none. key signs
// the ledger's checkpoints. A ledger that another key signed, or whose state is
// older than its head, is refused: to go on would fork it.
func OpenArchive(dir string, key note.Signer) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, ledgerDir)} {
		if err := mkdir(d); err != nil {
			return nil, err
		}
	}
	a := &Archive{dir: dir, fault: func(string) error { return nil }, patience: flock.Patience{
		What: "the evidence directory " + addrs.Visible(dir), Limit: patience, Cut: impatience, After: telling,
	}}
	a.ledger, err = openLedger(filepath.Join(dir, ledgerDir), key)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Tell says whom to tell of a wait for another process that is filing. It must be
// called before File.
func (a *Archive) Tell(waiting func(message string)) { a.patience.Told = waiting }

// File puts bundles, in the order given, into their files and into the ledger,
// and returns when all of that is durable and a signed checkpoint covers it.
// Bundles that are filed already are left as they are, so that after a crash or
// an error the same bundles can be filed again. A call costs some twenty syncs,
// however many the bundles: file many at once. After a failure to sync the
// archive takes no more.
//
// Another process that is filing is waited for: for a while, and for a short one
// when ctx ends. That is all that ctx cuts short: what is begun is soon over.
func (a *Archive) File(ctx context.Context, bundles []journal.Bundle) error {
	if len(bundles) == 0 {
		return nil
	}
	for _, b := range bundles {
		if err := checkBundle(b); err != nil {
			return err
		}
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx = context.WithoutCancel(ctx)
	if failed := a.failed.Load(); failed != nil {
		return failed
	}
	fresh, seen, err := a.write(bundles)
	if err != nil {
		var failed *syncError
		if errors.As(err, &failed) {
			a.failed.Store(failed)
		}
		return err
	}
	// The files come first: what was in no file before is in no ledger either,
	// so only what was there already must be looked for.
	missing, err := a.ledger.missing(seen)
	if err != nil {
		return err
	}
	if err := a.fault("ledger"); err != nil {
		return err
	}
	return a.ledger.append(ctx, append(missing, fresh...))
}

// Close lets go of the archive. It has nothing left to write: File is durable
// when it returns.
func (a *Archive) Close() error { return nil }

// syncError says that evidence was written, but may not survive a power cut.
type syncError struct {
	path  string
	cause error
}

// Error says what to do.
func (e *syncError) Error() string {
	return fmt.Sprintf("evidence in %s could not be synced to disk (%v): check the disk, then resume", e.path, e.cause)
}

// checkBundle refuses what could not be read back, or would leave the directory.
func checkBundle(b journal.Bundle) error {
	run, file, ok := strings.Cut(b.File, "/")
	if !ok || run != b.Run || run == ledgerDir || !safeName(run) || !safeName(file) || !strings.HasSuffix(file, fileSuffix) {
		return fmt.Errorf("bundle %s cannot be filed as %q in run %q: the file must be RUN/NAME%s", b.ID, b.File, b.Run, fileSuffix)
	}
	if len(b.Line) == 0 || b.Line[0] != '{' || strings.ContainsAny(string(b.Line), "\n\x00") {
		return fmt.Errorf("bundle %s is not one line of JSON", b.ID)
	}
	if len(b.Line) > maxLine {
		return fmt.Errorf("bundle %s is larger than %d MiB: nothing that large is evidence", b.ID, maxLine>>20)
	}
	return nil
}

func safeName(s string) bool {
	return s != "" && s[0] != '.' && len(s) <= 255 && !strings.ContainsAny(s, "/\\\x00\n")
}

// How long another process may keep the lock of the directory, in which it files
// for a second or so; how long once a person has said that it takes too long, or the
// process was waited for in vain; and after how long it is told that there is a wait.
const (
	patience   = 30 * time.Second
	impatience = 3 * time.Second
	telling    = 3 * time.Second
)

// lock excludes every other holder of the directory's lock, in this process and
// others. The lock is on the folder itself, so that it leaves nothing behind.
func (a *Archive) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.Open(a.dir)
	if err != nil {
		return nil, err
	}
	p := a.patience
	if a.late.Load() {
		p.Limit = p.Cut
	}
	err = flock.Lock(ctx, f, p)
	var held *flock.HeldError
	if errors.As(err, &held) {
		a.late.Store(true)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
