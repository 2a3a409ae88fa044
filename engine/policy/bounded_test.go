package policy

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// roomy is a bound that nothing here passes.
var roomy = bound{time: time.Minute, memory: 1 << 40}

// A watch ends an evaluation when its time is over, not before, and says so: here, where
// the clock goes on and the processor does nothing, when patience is.
func TestWatchEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := roomy.watch(t.Context())
		time.Sleep(patience*time.Minute - 1)
		synctest.Wait()
		if w.cancel.Cancelled() {
			t.Fatal("it is ended early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := w.stop(); !w.cancel.Cancelled() || !errors.Is(err, errTime) || !strings.Contains(err.Error(), "more than 1m0s") {
			t.Errorf("cancelled %v, %v", w.cancel.Cancelled(), err)
		}
	})
}

// A watch that is over watches nothing.
func TestWatchStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := roomy.watch(t.Context())
		time.Sleep(time.Second)
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		if w.cancel.Cancelled() || w.why.Load() != nil {
			t.Error("it went on")
		}
	})
}

// Who no longer waits for an answer is told that there is none.
func TestWatchIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := roomy.watch(ctx)
		cancel()
		synctest.Wait()
		if err := w.stop(); !w.cancel.Cancelled() || !errors.Is(err, errCancel) {
			t.Errorf("cancelled %v, %v", w.cancel.Cancelled(), err)
		}
	})
}

// Memory counts from three quarters of the bound on, and only what came since the beginning.
func TestWatchEndsAtItsMemory(t *testing.T) {
	runtime.GC()
	b := bound{time: time.Minute, memory: 256 << 20}
	synctest.Test(t, func(t *testing.T) {
		w := b.watch(t.Context())
		held := make([]byte, 128<<20)
		time.Sleep(time.Second)
		synctest.Wait()
		if w.cancel.Cancelled() {
			t.Error("it is ended at half of its memory")
		}
		more := make([]byte, 112<<20)
		time.Sleep(time.Second)
		synctest.Wait()
		// It has said why; that its time is over too changes nothing.
		time.Sleep(2 * time.Minute)
		if err := w.stop(); !w.cancel.Cancelled() || !errors.Is(err, errMemory) || !strings.Contains(err.Error(), "more than 256 MiB") {
			t.Errorf("cancelled %v, %v", w.cancel.Cancelled(), err)
		}
		runtime.KeepAlive(held)
		runtime.KeepAlive(more)
	})
}

// The first reason stands.
func TestWatchSaysItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := bound{time: time.Millisecond}.watch(t.Context())
		time.Sleep(2 * patience * time.Millisecond)
		held := make([]byte, 8<<20) // far more than nothing
		time.Sleep(time.Second)
		if err := w.stop(); !errors.Is(err, errTime) {
			t.Error(err)
		}
		runtime.KeepAlive(held)
	})
}

// The same holds where Rego is judged in this process, whatever it is doing.
func TestKnownIsBoundedToo(t *testing.T) {
	const endless = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tx := numbers.range(1, 3000)\n\tx[a] * x[b] * x[c] == -1\n}\n"
	const large = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if count([x | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000); x := [i, j]]) == 7\n"
	for name, tc := range map[string]struct {
		text   string
		limits Limits
		want   string
	}{
		"time":   {endless, Limits{Time: 10 * time.Millisecond, Memory: 1 << 40}, "too long (more than 12ms)"},
		"memory": {large, Limits{Time: time.Hour, Memory: 16 << 20, MemoryPerReset: 1}, "too much memory (more than 16 MiB)"},
	} {
		set, diags := Options{Limits: tc.limits}.Compile(context.Background(), []Source{here(named("house", Mandatory, tc.text))})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		set.Warm()
		runtime.GC() // what is there already does not count
		if _, diags = set.Eval(context.Background(), anInput()); len(diags) != 1 || !strings.Contains(diags.Err().Error(), tc.want) {
			t.Errorf("%s: %v", name, diags.Err())
		}
	}
	set := compileAll(t, here(named("house", Mandatory, endless)))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, diags := set.Eval(ctx, anInput()); !strings.Contains(diags.Err().Error(), "Interrupted") {
		t.Error(diags.Err())
	}
}
