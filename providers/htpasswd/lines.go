package htpasswd

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/remint-dev/remint/engine/provider"
)

// line is one line of a user in a file.
type line struct {
	// start and end bound the line in the file without its end of line; next
	// is where the next line starts.
	start, end, next int
	// hash is the line's second field, without space around it.
	hash string
}

// space is what Apache skips at either end of a line.
const space = " \t\v\f\r"

// find gives all lines of user, in the order of the file: servers take the
// first, some libraries the last. It looks for the name and parses no other line.
func find(data []byte, user string) []line {
	var found []line
	needle := append([]byte(user), ':')
	for at := 0; ; {
		i := bytes.Index(data[at:], needle)
		if i < 0 {
			return found
		}
		name := at + i
		at = name + len(needle)
		start := name
		for start > 0 && bytes.IndexByte([]byte(space), data[start-1]) >= 0 {
			start--
		}
		if start > 0 && data[start-1] != '\n' {
			continue
		}
		l := line{start: start, end: len(data), next: len(data)}
		if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
			l.end, l.next = at+n, at+n+1
		}
		if l.end > at && data[l.end-1] == '\r' {
			l.end--
		}
		hash, _, _ := bytes.Cut(data[at:l.end], []byte(":"))
		l.hash = string(bytes.Trim(hash, space))
		found = append(found, l)
		at = l.next
	}
}

// splice is a piece of a file to be replaced.
type splice struct {
	from, to int
	text     string
}

// apply makes all splices in one pass; they do not overlap.
func apply(data []byte, splices []splice) []byte {
	if len(splices) == 0 {
		return data
	}
	slices.SortStableFunc(splices, func(a, b splice) int { return cmp.Compare(a.from, b.from) })
	size := len(data)
	for _, s := range splices {
		size += len(s.text)
	}
	out, at := make([]byte, 0, size), 0
	for _, s := range splices {
		out = append(append(out, data[at:s.from]...), s.text...)
		at = s.to
	}
	return append(out, data[at:]...)
}

// put makes user's only line one with hash: in the place of the first that
// there is, or at the end. Later lines of the user go: each is a password that
// would come alive with the removal of the one before it.
// found is what find gives for user.
func put(data []byte, found []line, user, hash string) []splice {
	if len(found) == 0 {
		return []splice{{len(data), len(data), user + ":" + hash}}
	}
	first := splice{found[0].start, found[0].end, user + ":" + hash}
	return append([]splice{first}, drop(found[1:])...)
}

// added is the splice for a new user.
func added(data []byte, user, hash string) []splice {
	s := []splice{{len(data), len(data), user + ":" + hash}}
	finish(data, s)
	return s
}

// drop removes lines together with their ends.
func drop(lines []line) []splice {
	var out []splice
	for _, l := range lines {
		out = append(out, splice{from: l.start, to: l.next})
	}
	return out
}

// finish makes splices at the end of data (new users) lines of their own,
// with the end of line that the file's first line has.
func finish(data []byte, splices []splice) {
	end := "\n"
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		end = "\r\n"
	}
	open := len(data) > 0 && data[len(data)-1] != '\n'
	for i := range splices {
		if s := &splices[i]; s.from == len(data) && s.to == len(data) && s.text != "" {
			s.text += end
			if open {
				s.text, open = end+s.text, false
			}
		}
	}
}

// readable refuses files that servers do not read as lines: Apache joins a
// line that ends in a backslash with the next, and C programs stop at a NUL.
func readable(data []byte) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return provider.Errorf(provider.Permanent, "the file contains a NUL byte: it is no htpasswd file; check the path")
	}
	for _, end := range []string{"\\\n", "\\\r\n"} {
		if i := bytes.Index(data, []byte(end)); i >= 0 {
			return provider.Errorf(provider.Permanent,
				"line %d ends with a backslash: Apache joins it with the next line, others do not, so that nobody can say who may log in; remove the backslash",
				1+bytes.Count(data[:i], []byte("\n")))
		}
	}
	return nil
}

// users lists the names in the file, each once.
func users(data []byte) []string {
	var names []string
	seen := map[string]bool{}
	for l := range bytes.Lines(data) {
		name, _, ok := bytes.Cut(bytes.TrimLeft(l, space), []byte(":"))
		if n := string(name); ok && n != "" && n[0] != '#' && !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}
