package evidence

import (
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"

	"github.com/remint-dev/remint/engine/addrs"
)

// VerifyOptions say what to check and whom to trust.
type VerifyOptions struct {
	// Dir is the evidence directory.
	Dir string
	// PublicKeys may have signed the records, LedgerKey the ledger's head.
	PublicKeys []crypto.PublicKey
	LedgerKey  note.Verifier
	// People may have signed what stands in evidence as a person's word.
	People []Person
	// Authority is what certificates of a run are verified by; nil, or giving nil, where
	// none is at hand.
	Authority func(run string) *Authority
	// Checkpoint is a head that was kept elsewhere; nil for none.
	Checkpoint []byte
	// Witnesses are keys of others who may have cosigned a head.
	Witnesses []note.Verifier
	// Now is the time by which reviews are overdue.
	Now time.Time
}

// Verify checks everything in an evidence directory: signatures, subjects, order,
// links, that nothing is missing from a run and no run is open, that the ledger
// holds exactly what is there, and that a head kept earlier still holds. It reads
// files only, and holds no more of them in memory than a line for each processor,
// and some 100 bytes for each bundle.
// The error is for what kept it from checking; what is wrong is in the report.
func Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	ring, err := newKeyring(o.PublicKeys)
	if err != nil {
		return nil, err
	}
	if len(ring) == 0 || o.LedgerKey == nil {
		return nil, errors.New("evidence cannot be verified without the public keys of its signer and of its ledger")
	}
	entries, err := list(o.Dir)
	if err != nil {
		return nil, err
	}
	v := &verification{VerifyOptions: o, ring: ring, busy: make(chan struct{}, runtime.GOMAXPROCS(0)), large: make(chan struct{}, 1), uses: map[string]int{}, glass: map[string]*glassRun{}, report: &Report{Level: L0, Trust: map[string]int{}, Findings: []Finding{}}}
	if err := v.readLedger(ctx); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4 * runtime.GOMAXPROCS(0))
	runs := map[string]bool{}
	for _, e := range entries {
		switch {
		case e.Name() == ledgerDir:
		case !e.IsDir() || !safeName(e.Name()):
			v.find(CodeFile, e.Name(), 0, "this is no folder of a run: nothing of remint's lies here")
		default:
			runs[e.Name()] = true
			group.Go(func() error { return v.run(ctx, e.Name()) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	v.report.Runs = len(runs)
	for hint := range ring {
		v.report.Keys = append(v.report.Keys, KeyUse{KeyID: hint, Bundles: v.uses[hint]})
	}
	slices.SortFunc(v.report.Keys, func(a, b KeyUse) int { return cmp.Compare(a.KeyID, b.KeyID) })
	v.unclaimed(runs)
	if err := v.settle(); err != nil {
		return nil, err
	}
	slices.SortFunc(v.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return v.report, nil
}

// verification is one call of Verify.
type verification struct {
	VerifyOptions
	ring keyring
	// busy bounds the files that are read at once.
	busy chan struct{}
	// large lets one large line at a time be in memory.
	large chan struct{}

	mu     sync.Mutex
	report *Report
	// leaves are the places of the ledger's leaves by line digest; found says of
	// each whether its bundle was there. Both are nil where there is no ledger to read.
	leaves map[[sha256.Size]byte]uint64
	found  []bool
	// uses are the records that each key signed, by its hint.
	uses map[string]int
	// glass are the runs that broke the glass, and reviews those that there are.
	glass   map[string]*glassRun
	reviews []reviewed
}

// signed counts a record under the key that signed it.
func (v *verification) signed(hint string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.uses[hint]++
}

// judgedFrom counts a run under the place that its judges come from.
func (v *verification) judgedFrom(trust string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Trust[trust]++
}

func (v *verification) find(code Code, file string, line int, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.report.Findings) >= maxFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{Code: code, File: addrs.Visible(file), Line: line, Message: addrs.Visible(fmt.Sprintf(format, args...))})
}

// claim marks the leaf of a line as found. It reports whether there is one.
func (v *verification) claim(digest [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Bundles++
	if v.leaves == nil {
		return true // said once already
	}
	at, ok := v.leaves[digest]
	if ok {
		v.found[at] = true
	}
	return ok
}

// unclaimed names the leaves whose bundles were not found.
func (v *verification) unclaimed(runs map[string]bool) {
	gone := map[string]int{}
	index := uint64(0)
	for found := range slices.Chunk(v.found, layout.EntryBundleWidth) {
		read := sync.OnceValues(func() ([][]byte, error) { return readEntries(filepath.Join(v.Dir, ledgerDir), index, len(found)) })
		for i, ok := range found {
			if ok {
				continue
			}
			entries, err := read()
			if err != nil {
				v.find(CodeLedger, ledgerDir, 0, "the ledger changed while it was read")
				return
			}
			l, err := parseLeaf(entries[i])
			switch {
			case err != nil: // said already
			case runs[l.Run]:
				v.find(CodeMissing, l.Run, 0, "record %s is in the ledger, but its bundle is gone or was edited", l.Record)
			default:
				gone[l.Run]++
			}
		}
		index++
	}
	for run, n := range gone {
		v.find(CodeMissing, run, 0, "the whole run is gone: the ledger has %d records of it", n)
	}
}

// run checks one run's folder.
func (v *verification) run(ctx context.Context, run string) error {
	dir, err := os.ReadDir(filepath.Join(v.Dir, run))
	if err != nil {
		v.find(CodeFile, run, 0, "the folder cannot be read: %v", reason(err))
		return nil
	}
	files := make([]*recordFile, 0, len(dir))
	for _, e := range dir {
		if name := run + "/" + e.Name(); !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), fileSuffix) || !safeName(e.Name()) {
			v.find(CodeFile, name, 0, "this is no file of records: nothing of remint's is called so")
		} else {
			files = append(files, &recordFile{run: run, name: e.Name()})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range files {
		select {
		case v.busy <- struct{}{}:
		case <-ctx.Done():
			return errors.Join(group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			defer func() { <-v.busy }()
			return v.file(ctx, f)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	v.whole(run, files)
	return nil
}

// reason is an error without the path, which the finding gives.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
