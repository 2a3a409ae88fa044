package view

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
)

// progress is the display of a run on a terminal: a line per credential in
// flight, and one with counts and the time elapsed. What ends badly scrolls by above it.
type progress struct {
	mu      sync.Mutex
	w       io.Writer
	st      style
	width   func() int
	started time.Time
	flight  map[string]flying
	done    int
	failed  int
	total   int
	drawn   int
	opened  bool
	halt    chan struct{}
	stopped sync.Once
}

type flying struct {
	step  string
	since time.Time
	until *time.Time
}

// maxFlight is how many credentials in flight have a line of their own.
const maxFlight = 10

func newProgress(w io.Writer, st style, width func() int) *progress {
	p := &progress{w: w, st: st, width: width, started: time.Now(), flight: map[string]flying{}, halt: make(chan struct{})}
	go p.tick()
	return p
}

func (p *progress) tick() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-p.halt:
			return
		case <-t.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

// stop clears the display.
func (p *progress) stop() {
	p.stopped.Do(func() {
		close(p.halt)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	})
}

// Emit takes one event into the picture.
func (p *progress) Emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Type {
	case event.RunOpened:
		p.total, p.opened, p.started = e.Total, true, time.Now()
	case event.ResetStarted, event.StepStarted, event.StepWaiting:
		f := p.flight[e.Address]
		if f.since.IsZero() {
			f.since = time.Now()
		}
		if e.Step != "" {
			f.step = e.Step
		}
		f.until = e.Until
		p.flight[e.Address] = f
	case event.ResetFinished:
		delete(p.flight, e.Address)
		if e.Outcome == string(executor.Finished) {
			p.done++
			return
		}
		p.failed++
		p.scroll(p.st.red("✗ ") + safe(e.Message))
	case event.Diagnostic:
		p.scroll(p.st.yellow("! ") + safe(e.Message))
	case event.StepFailed:
		p.scroll(p.st.red("✗ ") + safe(e.Address+": "+e.Message))
	}
}

// scroll writes a line that stays.
func (p *progress) scroll(s string) {
	p.clear()
	_, _ = io.WriteString(p.w, s+"\n")
}

func (p *progress) clear() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\r\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (p *progress) draw() {
	if !p.opened {
		return
	}
	p.clear()
	width := p.width()
	names := make([]string, 0, len(p.flight))
	for a := range p.flight {
		names = append(names, a)
	}
	sort.Slice(names, func(i, j int) bool { return p.flight[names[i]].since.Before(p.flight[names[j]].since) })
	var b strings.Builder
	for i, a := range names {
		if i == maxFlight {
			fmt.Fprintf(&b, "  … and %d more\n", len(names)-maxFlight)
			p.drawn++
			break
		}
		f := p.flight[a]
		text := fmt.Sprintf("  %s  %s", safe(a), safe(f.step))
		if f.until != nil {
			if left := time.Until(*f.until).Round(time.Second); left > 0 {
				text += fmt.Sprintf("  waiting %s", left)
			}
		}
		b.WriteString(cut(text, width-1) + "\n")
		p.drawn++
	}
	counts := fmt.Sprintf("%d of %d done", p.done, p.total)
	if p.failed > 0 {
		counts += fmt.Sprintf(", %d not", p.failed)
	}
	b.WriteString(cut(fmt.Sprintf("%s, %d in flight, %s", counts, len(names), time.Since(p.started).Round(time.Second)), width-1) + "\n")
	p.drawn++
	_, _ = io.WriteString(p.w, b.String())
}

func cut(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}
