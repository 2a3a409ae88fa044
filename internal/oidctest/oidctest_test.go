package oidctest

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestSomebodyLogsIn(t *testing.T) {
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	token, err := s.Token(Login{Client: "remint", User: "alice", Nonce: "n1", ACR: "urn:example:mfa"})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"nonce":"n1"`, `"acr":"urn:example:mfa"`, `"email":"alice@example.com"`, `"amr":["pwd","otp"]`, `"aud":"remint"`, `"auth_time":`} {
		if !strings.Contains(string(payload), want) {
			t.Errorf("%s is not in %s", want, payload)
		}
	}
}
