// Package ticket asks a ticket system whether the plan's ticket exists, is open,
// and is about the plan's credentials.
package ticket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/fetch"
)

// Verifier declares the verifier `ticket`.
func Verifier() provider.VerifierDefinition {
	return provider.VerifierDefinition{
		Name: "ticket",
		Description: "Asks a ticket system, over HTTP, whether the ticket of the plan (`plan -ticket=T`) exists, is open and names every credential of the plan. " +
			"It is asked again by each apply and resume. That a ticket names a person is hearsay: she has shown nothing, so it counts as `none` unless `strength` says aal1.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "url", Type: provider.String, Required: true, Check: checkURL, Description: "Where a ticket is, with {ticket} in place of its name: https, or http to this machine. Redirects are not followed."},
			{Name: "token", Type: provider.String, Sensitive: true, Description: "Sent as a bearer token."},
			{Name: "ca", Type: provider.String, Description: "PEM certificates of the authorities to trust for this URL, as in `file(\"ca.pem\")`, instead of the system's."},
			{Name: "state_path", Type: provider.String, Required: true, Check: checkPath, Description: "Where the ticket's state stands in the JSON answer: names and list positions with dots between them, as `fields.status.name`."},
			{Name: "open_states", Type: provider.StringList, Required: true, Description: "The states that count as open."},
			{Name: "credentials_path", Type: provider.String, Required: true, Check: checkPath, Description: "Where the addresses stand that the ticket is about: a list, or a text with spaces, commas or line ends between them."},
			{Name: "identity_path", Type: provider.String, Required: true, Check: checkPath, Description: "Where it stands who asks."},
			{Name: "strength", Type: provider.String, Default: string(lifecycle.None), OneOf: []string{string(lifecycle.None), string(lifecycle.AAL1)},
				Description: "`aal1` only where the system lets people open tickets in their own name alone, after a login."},
		}},
		Open: open,
	}
}

const placeholder = "{ticket}"

func checkURL(v any) error {
	s, _ := v.(string)
	before, after, ok := strings.Cut(s, placeholder)
	if !ok || strings.Contains(after, placeholder) {
		return errors.New("must contain " + placeholder + " once, where the ticket's name goes")
	}
	if u, err := url.Parse(before); err != nil || u.Host == "" || !strings.Contains(strings.TrimPrefix(strings.TrimPrefix(before, "https://"), "http://"), "/") {
		return errors.New("must name the machine before " + placeholder)
	}
	return fetch.CheckURL(before + "T" + after)
}

func checkPath(v any) error {
	s, _ := v.(string)
	if s == "" || slices.Contains(strings.Split(s, "."), "") {
		return errors.New("must be names with dots between them, as fields.status.name")
	}
	return nil
}

type verifier struct {
	attrs  provider.Attrs
	client *http.Client
	token  secret.Value
}

func open(_ context.Context, b provider.Block) (provider.Verifier, error) {
	client, err := fetch.Client(b.Attrs.String("ca"))
	if err != nil {
		return nil, errors.New("ca " + err.Error())
	}
	return &verifier{b.Attrs, client, b.Attrs.Secret("token")}, nil
}

// validFor is how long an answer counts; every apply asks anew.
const validFor = time.Hour

// Verify asks about the plan's ticket.
func (v *verifier) Verify(ctx context.Context, asked provider.Asked, _ provider.Brought) (provider.Verified, error) {
	var none provider.Verified
	if asked.Ticket == "" || asked.Address != "" { // a ticket speaks of who asks, not of the subject
		return none, provider.ErrNothing
	}
	name := addrs.Visible(asked.Ticket)
	header := map[string]string{}
	if !v.token.IsZero() {
		header["Authorization"] = "Bearer " + v.token.RevealString()
	}
	var doc any
	err := fetch.JSON(ctx, v.client, strings.Replace(v.attrs.String("url"), placeholder, escape(asked.Ticket), 1), header, &doc)
	var status *fetch.StatusError
	switch {
	case errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone):
		return none, fmt.Errorf("there is no ticket %s: plan with the right -ticket", name)
	case errors.As(err, &status) && (status.Code == http.StatusUnauthorized || status.Code == http.StatusForbidden):
		return none, fmt.Errorf("the ticket system answers %d: check the verifier's token", status.Code)
	case err != nil:
		return none, fmt.Errorf("the ticket system cannot be asked: %w", err)
	}
	state, _ := find(doc, v.attrs.String("state_path")).(string)
	if !slices.Contains(v.attrs.Strings("open_states"), state) {
		return none, fmt.Errorf("the ticket %s is %s, and must be %s: open it again, or plan with another", name, quote(state), strings.Join(v.attrs.Strings("open_states"), " or "))
	}
	about := words(find(doc, v.attrs.String("credentials_path")))
	var missing []string
	for _, a := range asked.Addresses {
		if !slices.Contains(about, a) {
			missing = append(missing, a)
		}
	}
	if n := len(missing); n > 0 {
		return none, fmt.Errorf("the ticket %s does not name %s (%d of %d): name it there, or plan with the ticket that does", name, missing[0], n, len(asked.Addresses))
	}
	who, _ := find(doc, v.attrs.String("identity_path")).(string)
	if who == "" {
		return none, fmt.Errorf("the ticket %s does not say who asks: see that identity_path leads to a text", name)
	}
	return provider.Verified{
		Identity: who, Strength: lifecycle.Strength(v.attrs.String("strength")), Factor: provider.Hearsay, Until: asked.Now.Add(validFor),
		Claims: map[string]string{"ticket": asked.Ticket, "state": state},
	}, nil
}

// escape keeps a ticket's name in its place in the URL, also one like "..".
func escape(ticket string) string { return strings.ReplaceAll(url.PathEscape(ticket), ".", "%2E") }

// find follows a path through objects and lists; nil where it leads nowhere.
func find(doc any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch at := doc.(type) {
		case map[string]any:
			doc = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			doc = at[i]
		default:
			return nil
		}
	}
	return doc
}

// words are the members of a list of texts, or the words of a text.
func words(v any) []string {
	switch v := v.(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r <= ' ' || r == ',' || r == ';' })
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func quote(state string) string {
	if state == "" {
		return "in a state that state_path does not find"
	}
	if len(state) > 100 {
		state = state[:100] + "…"
	}
	return addrs.Visible(state)
}
