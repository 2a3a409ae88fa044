package addrs

import "testing"

func TestAccount(t *testing.T) {
	for mail, want := range map[string]string{
		"alice@users.noreply.github.com":                    "github:alice",
		"12345+alice@users.noreply.github.com":              "github:alice",
		"12345+Alice-B@Users.NoReply.GitHub.com":            "github:Alice-B",
		"49699333+dependabot[bot]@users.noreply.github.com": "github:dependabot[bot]",
		"4711-alice-b@users.noreply.gitlab.com":             "gitlab:alice-b",
		"alice-b@users.noreply.gitlab.com":                  "gitlab:alice-b",
		"alice@example.com":                                 "",
		"alice@users.noreply.github.com.example.com":        "",
		"alice@mail.users.noreply.github.com":               "",
		"noreply@github.com":                                "",
		"@users.noreply.github.com":                         "",
		"1+@users.noreply.github.com":                       "",
		"x@users.noreply.github.com@example.com":            "",
		"users.noreply.github.com":                          "",
		"github:alice":                                      "",
		"":                                                  "",
	} {
		if got := Account(mail); got != want {
			t.Errorf("%s: %q, want %q", mail, got, want)
		}
	}
}
