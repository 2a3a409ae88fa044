package postgresql

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func FuzzParseMark(f *testing.F) {
	for _, s := range []string{"", "5", "5 none", "7 scram-00ff run-1", "-1", "x", "5  ", "99999999999999999999", "5 a b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := parseMark(s)
		if !ok {
			return
		}
		if m.fence < 0 {
			t.Fatalf("%q has the fence %d", s, m.fence)
		}
		again, ok := parseMark(m.String())
		if !ok || again.fence != m.fence || again.version != strings.TrimRight(m.version, " ") {
			t.Fatalf("%q is %+v, then %+v", s, m, again)
		}
	})
}

func FuzzPlainLabel(f *testing.F) {
	f.Add("run-1/credential.postgresql_role.x[\"a\"]/install")
	f.Add(`'; DROP ROLE x; --\`)
	f.Fuzz(func(t *testing.T, s string) {
		if l := plainLabel(s); strings.ContainsAny(l, "'\\\n\x00") {
			t.Fatalf("%q cannot stand in a literal", l)
		}
	})
}

// What a server asks for is read rightly however its answer is cut.
func FuzzAuthRequest(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00"))
	f.Add([]byte("R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
	f.Add([]byte("E\x00\x00\x00\x05\x00"))
	f.Add([]byte("R"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		want := authNotYet
		if len(answer) >= headLen && answer[0] == 'R' {
			want = authCode(binary.BigEndian.Uint32(answer[5:9]))
		}
		for _, r := range []io.Reader{strings.NewReader(string(answer)), iotest.OneByteReader(strings.NewReader(string(answer)))} {
			a := &authRequest{}
			told := 0
			out, _ := io.ReadAll(&watched{Reader: r, note: a, told: func(authCode) { told++ }})
			if string(out) != string(answer) || a.code() != want || told > 1 {
				t.Fatalf("%q: code %d (told %d times), want %d", answer, a.code(), told, want)
			}
		}
	})
}
