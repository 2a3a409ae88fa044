package command

import (
	"bytes"
	"context"
	"flag"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/fetch"
)

// signingFlags say what a person signs with, whatever it is that she signs: a key, or
// a certificate in place of one.
type signingFlags struct {
	key                      string
	keyless                  bool
	fulcio, timestamp, token string
}

func (k *signingFlags) declare(fs *flag.FlagSet) {
	fs.StringVar(&k.key, "key", "", "sign with the private key in `FILE` (PKCS#8 PEM), or with NAME://… through the program sigstore-kms-NAME")
	fs.BoolVar(&k.keyless, "keyless", false, "sign with a certificate for one signature in place of a key")
	fs.StringVar(&k.fulcio, "fulcio-url", "", "the `URL` of the Fulcio that certifies, with -keyless")
	fs.StringVar(&k.timestamp, "timestamp-url", "", "the `URL` of the RFC 3161 authority that says when, with -keyless")
	fs.StringVar(&k.token, "identity-token", "", "the ID token to show to Fulcio, in `FILE`; - is standard input; REMINT_ID_TOKEN unless set")
}

// signing is what the flags ask for.
func (k signingFlags) signing(a *app) (engine.Signing, diag.Diagnostics) {
	out := engine.Signing{Key: k.key}
	var diags diag.Diagnostics
	switch {
	case !k.keyless && (k.fulcio != "" || k.timestamp != "" || k.token != ""):
		return out, diags.Errorf("Keyless or not?", "-fulcio-url, -timestamp-url and -identity-token go with -keyless.")
	case !k.keyless && k.key == "":
		return out, diags.Errorf("A key is missing", "Name the key to sign with: -key=FILE, or -keyless.")
	case !k.keyless:
		return out, nil
	case k.key != "":
		return out, diags.Errorf("Keyless or not?", "-key and -keyless exclude each other.")
	}
	for flag, url := range map[string]string{"fulcio-url": k.fulcio, "timestamp-url": k.timestamp} {
		if err := fetch.CheckURL(url); err != nil {
			diags = diags.Errorf("An authority is missing", "-%s %s.", flag, err)
		}
	}
	token := []byte(a.getenv("REMINT_ID_TOKEN"))
	if k.token != "" {
		var err error
		if token, err = a.readProof(k.token); err != nil {
			diags = diags.Errorf("The ID token cannot be read", "-identity-token: %s.", err)
		}
	}
	if token = bytes.TrimSpace(token); len(token) == 0 && !diags.HasErrors() {
		diags = diags.Errorf("An ID token is missing", "Give it in a file with -identity-token=FILE, or in REMINT_ID_TOKEN. Fulcio wants one for the audience sigstore.")
	}
	out.Keyless = &engine.Keyless{Fulcio: k.fulcio, Timestamp: k.timestamp, Token: secret.New(token)}
	return out, diags
}

// tellSigned has the owner of the key told of what was just signed and saved. That she
// cannot be is a warning.
func (a *app) tellSigned(ctx context.Context, e *engine.Engine, u gate.Use, p *plan.Plan) diag.Diagnostics {
	said, diags := e.TellSigned(ctx, u, p)
	if said != "" && !a.json {
		a.view.Note(said)
	}
	return diags
}
