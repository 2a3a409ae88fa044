package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// syncers is how many files are synced at once: file systems commit what waits
// together.
const syncers = 16

// write appends the bundles' lines to their files, durably. fresh were added,
// seen were there already.
func (a *Archive) write(bundles []journal.Bundle) (fresh, seen []journal.Bundle, err error) {
	byFile := map[string][]int{}
	var order []string
	for i, b := range bundles {
		if byFile[b.File] == nil {
			order = append(order, b.File)
		}
		byFile[b.File] = append(byFile[b.File], i)
	}
	made := map[string]bool{}
	for _, b := range bundles {
		if made[b.Run] {
			continue
		}
		made[b.Run] = true
		if err := a.fault("mkdir " + b.Run); err != nil {
			return nil, nil, err
		}
		if err := mkdir(filepath.Join(a.dir, b.Run)); err != nil {
			return nil, nil, err
		}
	}
	there := make([]bool, len(bundles))
	var group errgroup.Group
	group.SetLimit(syncers)
	for _, file := range order {
		group.Go(func() error { return a.appendFile(file, bundles, byFile[file], there) })
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for run := range made {
		if err := a.fault("syncdir " + run); err != nil {
			return nil, nil, err
		}
		if err := syncDir(filepath.Join(a.dir, run)); err != nil {
			return nil, nil, &syncError{filepath.Join(a.dir, run), err}
		}
	}
	for i, b := range bundles {
		if there[i] {
			seen = append(seen, b)
		} else {
			fresh = append(fresh, b)
		}
	}
	return fresh, seen, nil
}

// appendFile appends those of the bundles with the given indexes that are not in
// the file yet, and says in there which were.
func (a *Archive) appendFile(name string, bundles []journal.Bundle, indexes []int, there []bool) (err error) {
	path := filepath.Join(a.dir, filepath.FromSlash(name))
	f, err := atomicfile.Open(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("evidence cannot be written to %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	waiting := make(map[string][]int, len(indexes))
	for _, i := range indexes {
		d := LineDigest(bundles[i].Line)
		waiting[d] = append(waiting[d], i)
	}
	end, err := a.settle(f, path, func(line []byte, cut bool) bool {
		found := waiting[LineDigest(line)]
		for _, i := range found {
			there[i] = !cut
		}
		return len(found) > 0
	})
	if err != nil {
		return err
	}
	var add bytes.Buffer
	wrote := map[string]bool{}
	for _, i := range indexes {
		if d := LineDigest(bundles[i].Line); !there[i] && !wrote[d] {
			wrote[d] = true
			add.Write(bundles[i].Line)
			add.WriteByte('\n')
		}
	}
	if add.Len() > 0 {
		if err := a.fault("append " + name); err != nil {
			_, _ = f.WriteAt(add.Bytes()[:add.Len()*2/3], end) // torn, as a crash would leave it
			return err
		}
		if _, err := f.WriteAt(add.Bytes(), end); err != nil {
			return fmt.Errorf("evidence cannot be written to %s: %w", path, err)
		}
	}
	if err := a.fault("sync " + name); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return &syncError{path, err}
	}
	return nil
}

// settle finds where the file's whole lines end and cuts off what a crash tore.
// mine is told every whole line, and whether it is being cut because it comes
// after a torn one; it says whether the line is at hand to be written again. If
// it is not, the file was damaged by something else and is left alone.
func (a *Archive) settle(f *os.File, path string, mine func(line []byte, cut bool) bool) (int64, error) {
	r := &lineReader{r: bufio.NewReaderSize(f, 64<<10)}
	var end, at int64
	torn := false
	for n := 1; ; n++ {
		line, err := r.next()
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		whole := err == nil && bytes.IndexByte(line, 0) < 0
		at += int64(len(line)) + 1
		switch {
		case whole && !torn:
			mine(line, false)
			end = at
		case !whole:
			torn = true
		case !mine(line, true):
			return 0, fmt.Errorf("%s is damaged before line %d: put back an undamaged copy of it", path, n)
		}
	}
	if !torn {
		return end, nil
	}
	if err := a.fault("truncate " + path); err != nil {
		return 0, err
	}
	if err := f.Truncate(end); err != nil {
		return 0, fmt.Errorf("the torn end of %s cannot be cut off: %w", path, err)
	}
	return end, nil
}
