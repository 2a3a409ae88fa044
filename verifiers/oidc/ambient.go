package oidc

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/fetch"
)

// ambient is the token that the CI gives, "" where it gives none.
func (v *verifier) ambient(ctx context.Context, asked provider.Asked) (string, error) {
	if asked.Getenv == nil || asked.Address != "" { // a CI is nobody's subject
		return "", nil
	}
	if token := strings.TrimSpace(asked.Getenv(v.attrs.String("token_env"))); token != "" {
		return token, nil
	}
	if v.attrs.String("ambient") != githubActions {
		return "", nil
	}
	at, bearer := asked.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), asked.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if at == "" || bearer == "" {
		if asked.Getenv("GITHUB_ACTIONS") == "true" {
			return "", errors.New("this job may not ask for a token: give it permissions: { id-token: write }")
		}
		return "", nil
	}
	u, err := url.Parse(at)
	if err != nil || fetch.CheckURL(at) != nil {
		return "", errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no https URL")
	}
	q := u.Query()
	q.Set("audience", v.attrs.String("audience")+"/"+asked.Nonce())
	u.RawQuery = q.Encode()
	var answer struct {
		Value string `json:"value"`
	}
	// The runner's own certificate authority is the system's, whatever the issuer's is.
	client, err := fetch.Client("")
	if err != nil {
		return "", err
	}
	if err := fetch.JSON(ctx, client, u.String(), map[string]string{"Authorization": "Bearer " + bearer}, &answer); err != nil {
		return "", errors.New("the CI gives no token: " + err.Error())
	}
	if answer.Value == "" {
		return "", errors.New("the CI gives an empty token")
	}
	return answer.Value, nil
}

// Challenge says what to log in with.
func (v *verifier) Challenge(asked provider.Asked) map[string]any {
	return map[string]any{
		"issuer": v.attrs.String("issuer"), "client_id": v.attrs.String("audience"),
		"nonce": asked.Nonce(), "audience": v.attrs.String("audience") + "/" + asked.Nonce(),
	}
}
