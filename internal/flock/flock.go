// Package flock waits for the advisory locks (flock) of other processes, and never
// for ever: a process that was stopped keeps its locks.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// somebody is a holder of whom nothing is known.
const somebody = "another process"

// Patience says how long to wait.
type Patience struct {
	// What is locked, for people: "the folder x".
	What string
	// Limit is how long at most, and Cut how long at most once ctx has ended.
	Limit, Cut time.Duration
	// Told, where set, is told once that there is a wait, when it has lasted for After.
	Told  func(message string)
	After time.Duration
}

// HeldError says that the lock stayed another's.
type HeldError struct {
	message string
	cause   error
}

// Error says whose, and what to do.
func (e *HeldError) Error() string { return e.message }

// Unwrap gives the error of the context that cut the wait short, if one did.
func (e *HeldError) Unwrap() error { return e.cause }

// Lock locks f until it is closed. With an error f is closed, or will be as soon as
// the lock comes: it is not the caller's any more.
func Lock(ctx context.Context, f *os.File, p Patience) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
		return errors.Join(fmt.Errorf("%s cannot be locked: %w", p.What, err), f.Close())
	}
	got := make(chan error, 1)
	go func() { // in the system's queue: who asks again and again may never get it
		for {
			err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
			if !errors.Is(err, syscall.EINTR) {
				got <- err
				return
			}
		}
	}()
	return wait(ctx, f, p, got)
}

func wait(ctx context.Context, f *os.File, p Patience, got <-chan error) error {
	begun := time.Now()
	limit, long := time.NewTimer(p.Limit), time.NewTimer(p.After)
	defer limit.Stop()
	defer long.Stop()
	ended, cause := ctx.Done(), error(nil)
	for {
		select {
		case err := <-got:
			if err != nil {
				err = errors.Join(fmt.Errorf("%s cannot be locked: %w", p.What, err), f.Close())
			}
			return err
		case <-ended:
			ended, cause = nil, ctx.Err()
			limit.Reset(min(p.Cut, p.Limit-time.Since(begun)))
		case <-long.C:
			if p.Told != nil {
				p.Told(fmt.Sprintf("%s is in use by %s: waiting for it, for %s at most", p.What, holder(f), p.Limit))
			}
		case <-limit.C:
			go func() { _ = errors.Join(<-got, f.Close()) }()
			return &HeldError{cause: cause, message: fmt.Sprintf("%s is in use by %s, which kept it locked for %s (is it stopped?): let it go on, or end it",
				p.What, holder(f), time.Since(begun).Round(100*time.Millisecond))}
		}
	}
}
