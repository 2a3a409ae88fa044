package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"time"
)

var (
	errTime   = errors.New("it took too long")
	errMemory = errors.New("it took too much memory")
	errCancel = errors.New("it was cancelled")
)

// bound is what some work may cost. memory 0 is unbounded.
type bound struct {
	time   time.Duration
	memory uint64
}

// bounded runs work, and gives up on it when a bound has passed, whether work
// stops or not: some of OPA's builtins cannot be interrupted. stop is called
// once before giving up. A panic in work is an error.
func bounded[T any](ctx context.Context, b bound, stop func(), work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = fmt.Errorf("the evaluator failed: %v", p)
			}
			done <- o
		}()
		o.value, o.err = work()
	}()
	deadline := time.NewTimer(b.time)
	defer deadline.Stop()
	sample := time.NewTicker(10 * time.Millisecond)
	defer sample.Stop()
	start := heap()
	var why error
	for why == nil {
		select {
		case o := <-done:
			return o.value, o.err
		case <-ctx.Done():
			why = errCancel
		case <-deadline.C:
			why = fmt.Errorf("%w (more than %v)", errTime, b.time)
		case <-sample.C:
			if now := heap(); b.memory > 0 && now > start && now-start > b.memory {
				why = fmt.Errorf("%w (more than %d MiB)", errMemory, b.memory>>20)
			}
		}
	}
	stop()
	var none T
	return none, why
}

// heap is how many bytes the heap's objects take, the dead ones not yet swept included.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
