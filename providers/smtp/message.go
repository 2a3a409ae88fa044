package smtp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// longestSubject is in characters.
const longestSubject = 150

// message writes n as a mail (RFC 5322). Whatever a stranger may have named is
// made visible and encoded: no name can begin a header or hide a line.
func message(n provider.Notice, from *mail.Address, to []*mail.Address) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", from.String())
	names := make([]string, len(to))
	for i, a := range to {
		names[i] = a.String()
	}
	header("To", strings.Join(names, ",\r\n "))
	header("Subject", subject(n))
	header("Date", n.At.Format(time.RFC1123Z))
	header("Message-ID", messageID(n.ID, from))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(body(n))) // into memory: neither fails
	_ = q.Close()
	return b.Bytes()
}

func subject(n provider.Notice) string {
	text := []rune(addrs.Visible("[remint] " + n.Summary))
	if len(text) > longestSubject {
		text = append(text[:longestSubject-1], '…')
	}
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", string(text)), "?= =?", "?=\r\n =?")
}

// messageID is derived from the notice's ID alone, so that it is the same over
// retries and safe whatever the ID contains.
func messageID(id string, from *mail.Address) string {
	sum := sha256.Sum256([]byte(id))
	domain := "remint.invalid"
	if i := strings.LastIndexByte(from.Address, '@'); i >= 0 && ascii(from.Address[i+1:]) {
		domain = from.Address[i+1:]
	}
	return "<" + hex.EncodeToString(sum[:16]) + "@" + domain + ">"
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func body(n provider.Notice) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", addrs.Visible(n.Summary))
	for _, line := range [][2]string{
		{"Credential", n.Address}, {"Type", n.Type}, {"Owner", n.Owner}, {"Reason", n.Reason}, {"Mode", n.Mode},
		{"Ticket", n.Ticket}, {"Requester", n.Requester}, {"Outcome", n.Outcome}, {"Proof", n.Proof},
		{"Run", n.Run}, {"Time", n.At.UTC().Format(time.RFC3339)},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%-11s %s\n", line[0]+":", addrs.Visible(line[1]))
		}
	}
	if len(n.Changes) > 0 {
		b.WriteString("\nWhat changed:\n")
		for _, c := range n.Changes {
			fmt.Fprintf(&b, "- %s\n", addrs.Visible(c))
		}
	}
	if n.Next != "" {
		fmt.Fprintf(&b, "\nWhat to do next:\n%s\n", addrs.Visible(n.Next))
	}
	fmt.Fprintf(&b, "\n-- \nSent by remint. Notice %s. It never contains a secret and asks for none.\n", addrs.Visible(n.ID))
	return b.String()
}
