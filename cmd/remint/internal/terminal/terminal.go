// Package terminal knows what the process is connected to: terminals or pipes,
// colors or none, how wide.
package terminal

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Terminal is the streams of one invocation and what may be done on them.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string
	// OutTTY and ErrTTY tell terminals from pipes and files; both are false for
	// TERM=dumb.
	OutTTY, ErrTTY bool
	// CI is set in continuous integration: no progress display, no questions expected.
	CI bool
	// Color is allowed (NO_COLOR is not set); where also needs a terminal.
	Color bool
	errFd int
	inFd  int
	inTTY bool
	shown *term.State
}

// New looks at the streams and the environment.
func New(in *os.File, out, errw *os.File, environ []string) *Terminal {
	env := func(name string) string {
		i := slices.IndexFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		if i < 0 {
			return ""
		}
		return environ[i][len(name)+1:]
	}
	dumb := env("TERM") == "dumb"
	ci := env("CI") != "" && env("CI") != "false"
	return &Terminal{
		In: in, Out: out, Err: errw, Environ: environ, CI: ci, Color: env("NO_COLOR") == "",
		OutTTY: !dumb && term.IsTerminal(int(out.Fd())), ErrTTY: !dumb && !ci && term.IsTerminal(int(errw.Fd())), errFd: int(errw.Fd()),
		inFd: int(in.Fd()), inTTY: term.IsTerminal(int(in.Fd())),
	}
}

// Watched reports whether somebody at a terminal can answer. Continuous integration may
// have a terminal, and nobody at it.
func (t *Terminal) Watched() bool { return t.inTTY && !t.CI }

// ReadHidden reads a line that does not show while it is typed; from what is no
// terminal, a line.
func (t *Terminal) ReadHidden() ([]byte, error) {
	if !t.inTTY {
		b, err := bufio.NewReader(io.LimitReader(t.In, 4096)).ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(b) > 0 {
			err = nil
		}
		return b, err
	}
	t.shown, _ = term.GetState(t.inFd)
	b, err := term.ReadPassword(t.inFd)
	_, _ = io.WriteString(t.Err, "\n")
	return b, err
}

// ShowAgain undoes what ReadHidden did to the terminal, when it is not waited for.
func (t *Terminal) ShowAgain() {
	if t.shown != nil {
		_ = term.Restore(t.inFd, t.shown)
	}
}

// Width is the number of columns of the terminal behind Err, 100 where unknown.
func (t *Terminal) Width() int {
	if w, _, err := term.GetSize(t.errFd); err == nil && w > 20 {
		return w
	}
	return 100
}
