package addrs

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVisibleLookAlikes(t *testing.T) {
	for in, want := range map[string]string{
		"p\u0430yments":                       `p\u0430yments`,     // a Cyrillic а among Latin letters
		"почта@example.com":                   "почта@example.com", // a word of one script
		"Ελλάδα":                              "Ελλάδα",
		"日本語 text":                            "日本語 text",
		"Ǆungla naïve Zürich":                 "Ǆungla naïve Zürich",
		"ഠpp/ഠ\u0261app.env":                  `\u0d20pp/\u0d20\u0261app.env`, // Malayalam, and IPA
		"tell pl\u0251tform@ex\u0251mple.com": `tell pl\u0251tform@ex\u0251mple.com`,
		"\u1d00dmin \ua731sh":                 `\u1d00dmin \ua731sh`, // small capitals
		"p\u01c0an \u0185ob":                  `p\u01c0an \u0185ob`,  // a click, a tone
		"v\u0661 r\u0966le":                   `v\u0661 r\u0966le`,   // digits of other scripts
		"\u212fxample \u2170d":                `\u212fxample \u2170d`,
		"\u13e2\ua4ee a\ua4ee":                "\u13e2\ua4ee " + `a\ua4ee`, // words without a Latin letter stay
		"東京db":                                `\u6771\u4eacdb`,
		"東京 db, 東京-db":                        "東京 db, 東京-db",
		"Əliyev Məmmədov, Ñuñoa Győr, Łódź, Đặng, Hawaiʻi, ɓaɗa, 5µs, x²":                                                    "Əliyev Məmmədov, Ñuñoa Győr, Łódź, Đặng, Hawaiʻi, ɓaɗa, 5µs, x²",
		"മലയാളം தமிழ் ไทย हिन्दी עברית ١٢٣":                                                                                  "മലയാളം தமிழ் ไทย हिन्दी עברית ١٢٣",
		"a\u2800b \U0001d159 \u3164\uffa0\u115f\u1160\u180b\u180c\u180d\u180e\ufe0f\U000e0001\U000e0100\U00013441\U00016fe4": `a\u2800b \U0001d159 \u3164\uffa0\u115f\u1160\u180b\u180c\u180d\u180e\ufe0f\U000e0001\U000e0100\U00013441\U00016fe4`,
		"\uff41dmin":                   `\uff41dmin`,
		"\U0001d41admin":               `\U0001d41admin`,
		"a\u0336p\u0336p\u0336":        `a\u0336p\u0336p\u0336`,
		"e\u0301":                      "e\u0301",
		"e\u0301\u0301\u0301\u0301":    "e\u0301\u0301" + `\u0301\u0301`,
		"x\u20dd":                      `x\u20dd`,
		"::set-env name=X::y":          `\u003a:set-env name=X::y`,
		"a ::add-mask::b":              `a \u003a:add-mask::b`,
		"2001:db8::1 ::1 ::ffff:1.2.3": "2001:db8::1 ::1 ::ffff:1.2.3",
		"std::string":                  "std::string",
		"x##[stop-commands]y":          `x\u0023#[stop-commands]y`,
		"##vso[task.x]":                `\u0023#vso[task.x]`,
		"a ```sh":                      "a \\u0060``sh",
		"~~~":                          `\u007e~~`,
		"# one ` two ## heading":       "# one ` two ## heading",
		"line\n::error::x":             `line\u000a\u003a:error::x`,
		"::stop-commands \n::tok":      `\u003a:stop-commands \u000a\u003a:tok`, // the line break between is escaped
		"::a ::b::c":                   `\u003a:a \u003a:b::c`,                  // either may begin a line that is wrapped
		"::add-mask":                   `\u003a:add-mask`,                       // what comes after it may be of another text
		"`````":                        "\\u0060\\u0060\\u0060``",
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestVisibleJSON(t *testing.T) {
	for _, in := range []string{"plain", "\u202e", "\U000e0041 \U0001f600", "\x7f\u009b", "##[x] # ##", "\u2028", "\u2800\U0001d159", "é\u200b", "\x1b\n\t\"\\"} {
		text, err := json.Marshal([]string{in})
		if err != nil {
			t.Fatal(err)
		}
		out := VisibleJSON(text)
		var got []string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{in}, got); diff != "" {
			t.Error(diff)
		}
		for _, r := range string(out) {
			if !Printable(r) {
				t.Errorf("%q is written %s", in, out)
			}
		}
	}
}
