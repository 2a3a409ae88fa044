package x509

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"
)

func checkCommonName(v any) error {
	s := v.(string)
	if s == "" || utf8.RuneCountInString(s) > 64 || strings.TrimSpace(s) != s || strings.ContainsFunc(s, unprintable) {
		return errors.New("must be 1 to 64 characters on one line, without spaces at its ends (X.509 allows no more)")
	}
	return nil
}

func checkDNSNames(v any) error {
	for _, name := range v.([]string) {
		if !dnsName(name) {
			return errors.New("must list DNS names, as in api.internal or *.api.internal")
		}
	}
	return nil
}

func dnsName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(s, "*."), ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if label == "" || len(label) > 63 || bad || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

func checkAddresses(v any) error {
	for _, s := range v.([]string) {
		if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
			return errors.New("must list IP addresses, as in 192.0.2.7 or 2001:db8::7")
		}
	}
	return nil
}

func checkUsages(v any) error {
	for _, u := range v.([]string) {
		if _, ok := usage(u); !ok {
			return errors.New("must list `server_auth`, `client_auth` or both")
		}
	}
	if len(v.([]string)) == 0 {
		return errors.New("must list at least one usage")
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
