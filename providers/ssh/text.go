package ssh

import (
	"net/url"
	"strings"
	"time"
)

// mark is what remint appends to the comment of lines that it writes:
// ` remint:LABEL,TIME`. sshd takes it for a part of the comment.
type mark struct {
	label   string
	created time.Time
}

const markPrefix = "remint:"

// String is the mark as lines have it. The label is escaped to one word.
func (m mark) String() string {
	return markPrefix + url.QueryEscape(m.label) + "," + m.created.UTC().Format(time.RFC3339)
}

// cutMark splits a line's comment into what the user wrote and the mark.
// What is not exactly a mark of remint's belongs to the comment.
func cutMark(comment string) (string, mark) {
	i := strings.LastIndexAny(comment, " \t")
	if i < 0 {
		return comment, mark{}
	}
	body, ok := strings.CutPrefix(comment[i+1:], markPrefix)
	escaped, stamp, both := strings.Cut(body, ",")
	label, err := url.QueryUnescape(escaped)
	created, terr := time.Parse(time.RFC3339, stamp)
	if !ok || !both || err != nil || terr != nil {
		return comment, mark{}
	}
	return strings.TrimRight(comment[:i], " \t"), mark{label: label, created: created.UTC()}
}

const keptPrefix = "# remint: options of "

// keptLine is a comment line that holds on to the options of a revoked key, so
// that its successor is not freer than it was.
func keptLine(comment, options string) string { return keptPrefix + options + " for " + comment }

func cutKept(text string) (options, comment string, ok bool) {
	rest, ok := strings.CutPrefix(text, keptPrefix)
	if !ok {
		return "", "", false
	}
	options, rest = cutOptions(rest)
	comment, ok = strings.CutPrefix(rest, "for ")
	return options, comment, ok && options != "" && comment != ""
}

// cutOptions splits text after the first word, where spaces inside double
// quotes do not end a word. An unbalanced quote takes all of text.
func cutOptions(text string) (options, rest string) {
	end := len(text)
	scan(text, func(i int, c byte) bool {
		if c == ' ' || c == '\t' {
			end = i
			return false
		}
		return true
	})
	return text[:end], strings.TrimLeft(text[end:], " \t")
}

// splitOptions gives the single options of a line.
func splitOptions(options string) []string {
	var out []string
	start := 0
	scan(options, func(i int, c byte) bool {
		if c == ',' {
			out = append(out, options[start:i])
			start = i + 1
		}
		return true
	})
	return append(out, options[start:])
}

// scan calls visit for every byte outside of double quotes, until it says no,
// and reports whether the quotes were balanced.
func scan(text string, visit func(i int, c byte) bool) bool {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case !quoted && !visit(i, c):
			return true
		}
	}
	return !quoted
}

// optionValues gives the values of every option of that name, in any case as
// sshd has it, unquoted.
func optionValues(options, name string) []string {
	var out []string
	for _, o := range splitOptions(options) {
		key, v, _ := strings.Cut(o, "=")
		if strings.EqualFold(strings.Trim(key, " \t"), name) {
			out = append(out, strings.ReplaceAll(strings.Trim(v, `"`), `\"`, `"`))
		}
	}
	return out
}

func hasOption(options, name string) bool { return len(optionValues(options, name)) > 0 }

// expiry reads expiry-time as sshd does: the earliest counts, and local time
// unless it ends in Z. A value that sshd cannot read makes it refuse the key:
// the distant past.
func expiry(options string) time.Time {
	var earliest time.Time
	for _, value := range optionValues(options, "expiry-time") {
		if t := parseExpiry(value); earliest.IsZero() || t.Before(earliest) {
			earliest = t
		}
	}
	return earliest
}

func parseExpiry(value string) time.Time {
	zone := time.Local
	if rest, utc := strings.CutSuffix(strings.ToUpper(value), "Z"); utc {
		value, zone = rest, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, value, zone); err == nil {
			return t
		}
	}
	return time.Unix(1, 0)
}
