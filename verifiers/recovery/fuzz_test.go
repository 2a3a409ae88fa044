package recovery

import (
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// FuzzCodes: whatever stands in the lines of codes, they are refused, or each is
// somebody's and can be tried in time; and what people type is a code or is not.
func FuzzCodes(f *testing.F) {
	_, line, err := Verifier().NewCode("carol")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("# codes\n"+line+"\n", "0000-0000-0000-0000")
	f.Add(line[:len(line)-1], "oooo iiii llll uuuu")
	f.Add("carol $2a$31$0123456789012345678901234567890123456789012345678901x", "")
	f.Add("a b c\r\n\x00", "\u212a000000000000000")
	f.Fuzz(func(t *testing.T, lines, typed string) {
		v, err := opened(t, lines)
		if err == nil {
			for who, hashes := range v.(*verifier).hashes {
				for _, h := range hashes {
					if cost, err := bcrypt.Cost([]byte(h)); err != nil || cost > highestCost || len(hashes) > maxCodes || who == "" {
						t.Errorf("%q has %d hashes, one of cost %d, %v", who, len(hashes), cost, err)
					}
				}
			}
		}
		if code, ok := normal(typed); ok && len(code) != codeLength {
			t.Errorf("%q is a code of %d", typed, len(code))
		}
	})
}
