package provider

import (
	"crypto/rand"
	"math"
	"math/big"

	"github.com/remint-dev/remint/engine/secret"
)

// charsets that a generated password may be drawn from.
var charsets = map[string]string{
	"base64url":    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	"alphanumeric": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"hex":          "0123456789abcdef",
	"unambiguous":  "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789",
}

// PasswordIssue makes random passwords: `length` characters (40 unless told,
// at most max) of a `charset`. The single field is `value`.
func PasswordIssue(max int64) Issue {
	return Issue{
		Schema: Schema{Attributes: []Attribute{
			{Name: "length", Type: Int, Default: int64(40), Min: 8, Max: max,
				Description: "How many characters."},
			{Name: "charset", Type: String, Default: "base64url", OneOf: []string{"base64url", "alphanumeric", "hex", "unambiguous"},
				Description: "The characters to draw from: `base64url` (64), `alphanumeric` (62), `unambiguous` (55, none that look alike) or `hex` (16)."},
		}},
		Generate: func(args Attrs) (secret.Material, error) {
			set := charsets[args.String("charset")]
			out := make([]byte, args.Int("length"))
			for i := range out {
				n, err := rand.Int(rand.Reader, big.NewInt(int64(len(set))))
				if err != nil {
					return secret.Material{}, Errorf(Permanent, "the system gives no random numbers")
				}
				out[i] = set[n.Int64()]
			}
			return secret.Single(secret.New(out)), nil
		},
		Bits: func(args Attrs) float64 {
			return float64(args.Int("length")) * math.Log2(float64(len(charsets[args.String("charset")])))
		},
	}
}

// PasswordFields are the fields of types whose secret is a single string.
func PasswordFields() []Field {
	return []Field{{Name: "value", Description: "The password.", Probe: true}}
}
