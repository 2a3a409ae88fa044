package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readLines are what a reader of lines gives, and how it ended; foreign lines are
// "foreign".
func readLines(l *lineReader) (lines []string, last string, err error) {
	for {
		line, err := l.next()
		switch {
		case errors.Is(err, errForeign):
			lines = append(lines, "foreign")
		case err != nil:
			return lines, string(line), err
		default:
			lines = append(lines, string(line))
		}
	}
}

// Lines come whole however they lie in the buffer, and one that begins otherwise
// than all must hides none of the others.
func TestLines(t *testing.T) {
	long := "{" + strings.Repeat("0123456789", 9)
	broken := errors.New("the disk is broken")
	for name, tc := range map[string]struct {
		in    string
		fails error
		head  string
		want  []string
		last  string
		err   error
	}{
		"nothing":                         {"", nil, "{", nil, "", io.EOF},
		"short and long":                  {"{a}\n" + long + "\n{b}\n", nil, "{", []string{"{a}", long, "{b}"}, "", io.EOF},
		"as long as the buffer":           {long[:15] + "\n" + long[:16] + "\n" + long[:17] + "\n", nil, "{", []string{long[:15], long[:16], long[:17]}, "", io.EOF},
		"cut":                             {"{a}\n{b", nil, "{", []string{"{a}"}, "{b", io.EOF},
		"cut, and long":                   {long, nil, "{", nil, long, io.EOF},
		"an empty line is foreign":        {"\n{a}\n", nil, "{", []string{"foreign", "{a}"}, "", io.EOF},
		"an empty line":                   {"\na\n", nil, "", []string{"", "a"}, "", io.EOF},
		"foreign":                         {"{a}\nx\n{b}\n", nil, "{", []string{"{a}", "foreign", "{b}"}, "", io.EOF},
		"foreign and long":                {"x" + long + "\n{b}\n", nil, "{", []string{"foreign", "{b}"}, "", io.EOF},
		"foreign and cut":                 {"{a}\nx", nil, "{", []string{"{a}", "foreign"}, "", io.EOF},
		"foreign, long and cut":           {"x" + long, nil, "{", []string{"foreign"}, "", io.EOF},
		"the disk fails in a line":        {"{a}\n{b", broken, "{", []string{"{a}"}, "{b", broken},
		"the disk fails in a foreign one": {"{a}\nx" + long, broken, "{", []string{"{a}", "foreign"}, "", broken},
	} {
		var in io.Reader = strings.NewReader(tc.in)
		if tc.fails != nil {
			in = io.MultiReader(in, iotest.ErrReader(tc.fails))
		}
		lines, last, err := readLines(&lineReader{r: bufio.NewReaderSize(in, 16), head: []byte(tc.head)})
		if d := cmp.Diff(tc.want, lines); d != "" || last != tc.last || !errors.Is(err, tc.err) {
			t.Errorf("%s: ended with %q, %v\n%s", name, last, err, d)
		}
	}
}

// The longest line that is written is read, and one byte more is not held in
// memory.
func TestLongestLine(t *testing.T) {
	in := append(bytes.Repeat([]byte{'a'}, maxLine+1), '\n')
	read := func(b []byte) (int, error) {
		line, err := (&lineReader{r: bufio.NewReaderSize(bytes.NewReader(b), 64<<10)}).next()
		return len(line), err
	}
	if n, err := read(in[1:]); n != maxLine || err != nil {
		t.Errorf("the longest line: %d bytes, %v", n, err)
	}
	if n, err := read(in); n != 0 || !errors.Is(err, errLong) {
		t.Errorf("one byte more: %d bytes, %v", n, err)
	}
}

// A foreign line may be longer than any of ours: it is not held in memory.
func TestLongForeignLine(t *testing.T) {
	in := append([]byte{'x'}, bytes.Repeat([]byte{'{'}, maxLine+256<<10)...)
	in = append(in, "\n{b}\n"...)
	lines, _, err := readLines(&lineReader{r: bufio.NewReaderSize(bytes.NewReader(in), 64<<10), head: []byte("{")})
	if d := cmp.Diff([]string{"foreign", "{b}"}, lines); d != "" || !errors.Is(err, io.EOF) {
		t.Error(err, d)
	}
}

// A large line waits for its turn and keeps it while it is looked at; others do
// not wait.
func TestLargeLinesTakeTurns(t *testing.T) {
	line := func(n int) string { return strings.Repeat("a", n-1) + "\n" }
	turn := make(chan struct{}, 1)
	l := &lineReader{r: bufio.NewReaderSize(strings.NewReader(line(largeLine)+line(largeLine+1)+line(3*largeLine)+line(10)), 64<<10), large: turn}
	for i, want := range []int{0, 1, 1, 0} {
		if _, err := l.next(); err != nil || len(turn) != want {
			t.Fatalf("line %d: %v, and %d are large now", i+1, err, len(turn))
		}
	}
	if _, err := l.next(); !errors.Is(err, io.EOF) || len(turn) != 0 {
		t.Errorf("the end: %v, and %d are large still", err, len(turn))
	}
	l = &lineReader{r: bufio.NewReaderSize(strings.NewReader(line(2*largeLine)), 64<<10), large: turn}
	if _, err := l.next(); err != nil || len(turn) != 1 {
		t.Fatal(err)
	}
	l.done()
	l.done() // as at the end of a file
	if len(turn) != 0 {
		t.Error("the turn of a line is kept after it")
	}
	l = &lineReader{r: bufio.NewReaderSize(strings.NewReader(line(2*largeLine)), 64<<10)} // alone: no turns
	if line, err := l.next(); err != nil || len(line) != 2*largeLine-1 {
		t.Error(len(line), err)
	}
}
