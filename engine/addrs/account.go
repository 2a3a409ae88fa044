package addrs

import "strings"

// Account is the account at a forge that commits under a mail address which the forge
// gives to those who hide their own, written as identities are: github:NAME for
// [ID+]NAME@users.noreply.github.com, gitlab:NAME for ID-NAME@users.noreply.gitlab.com.
// It is "" for any other address.
func Account(mail string) string {
	at := strings.LastIndexByte(mail, '@')
	if at < 0 {
		return ""
	}
	name, prefix := mail[:at], ""
	switch strings.ToLower(mail[at+1:]) {
	case "users.noreply.github.com":
		prefix = "github:"
		if _, rest, ok := strings.Cut(name, "+"); ok {
			name = rest
		}
	case "users.noreply.gitlab.com":
		prefix = "gitlab:"
		if id, rest, ok := strings.Cut(name, "-"); ok && strings.Trim(id, "0123456789") == "" {
			name = rest
		}
	}
	if prefix == "" || name == "" {
		return ""
	}
	return prefix + name
}
