package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

// shortest is the length below which a secret's text would be found by chance.
const shortest = 8

// leaks looks for known secrets, plain and encoded, in whatever a provider
// says. It is used from many goroutines.
type leaks struct {
	mu      sync.Mutex
	needles map[string]string // text to look for, to the field it gives away
}

// add makes a secret known: as a whole, and of armoured keys each line.
func (l *leaks) add(field string, value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.needles == nil {
		l.needles = map[string]string{}
	}
	for _, part := range append(bytes.Split(value, []byte("\n")), value) {
		part = bytes.TrimSpace(part)
		if len(part) < shortest || bytes.HasPrefix(part, []byte("-----")) {
			continue
		}
		text := string(part)
		for _, form := range []string{
			text, fmt.Sprintf("%d", part), hex.EncodeToString(part), url.QueryEscape(text), url.PathEscape(text),
			base64.StdEncoding.EncodeToString(part), base64.RawURLEncoding.EncodeToString(part), fmt.Sprintf("%q", text),
		} {
			l.needles[form] = field
		}
	}
}

// look fails the rule if answer or err shows a known secret.
func (l *leaks) look(r reporter, call string, answer any, err error) {
	r.Helper()
	renderings := []string{fmt.Sprintf("%+v", answer), fmt.Sprintf("%#v", answer), fmt.Sprintf("%+v", err)}
	if j, jerr := json.Marshal(answer); jerr == nil {
		renderings = append(renderings, string(j))
	}
	if err != nil {
		renderings = append(renderings, err.Error(), fmt.Sprintf("%#v", err))
	}
	all := strings.Join(renderings, "\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	for needle, field := range l.needles {
		if strings.Contains(all, needle) {
			r.Errorf("%s shows the secret's field %q in its answer or error: say what happened in words of your own, and keep driver errors out", call, field)
			return
		}
	}
}
