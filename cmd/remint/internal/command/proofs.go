package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/verify"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// proofFlags are what somebody brings to show who she is. None of it stands on the
// command line itself, which others on the machine can read.
type proofFlags struct {
	verifier, subject, identity string
	token, code, assertion      string
}

func (f *proofFlags) flags(fs *flag.FlagSet) {
	fs.StringVar(&f.verifier, "verifier", "", "the verifier `TYPE.NAME` to show it to, where several take it")
	fs.StringVar(&f.subject, "subject", "", "be verified as the subject of the credential `ADDRESS`, not as the requester")
	fs.StringVar(&f.identity, "as", "", "`WHO` the code is of; the requester, or the subject, unless told. Only codes need it")
	fs.StringVar(&f.token, "identity-token", "", "an ID token in `FILE`; - is standard input")
	fs.StringVar(&f.code, "code", "", "a one-time or recovery code in `FILE`; - is standard input")
	fs.StringVar(&f.assertion, "webauthn", "", "a security key's assertion (JSON) in `FILE`; - is standard input")
}

// maxProof bounds what is read of each.
const maxProof = 1 << 20

// presented reads what the flags name; ok is false where they name nothing.
func (f *proofFlags) presented(a *app) (p verify.Presented, ok bool, diags diag.Diagnostics) {
	p = verify.Presented{Verifier: f.verifier, Address: f.subject, Identity: f.identity}
	named := 0
	for _, x := range []struct {
		flag, file string
		takes      provider.Takes
		put        func([]byte)
	}{
		{"identity-token", f.token, provider.TakesToken, func(b []byte) { p.Brought.Token = secret.New(bytes.TrimSpace(b)) }},
		{"code", f.code, provider.TakesCode, func(b []byte) { p.Brought.Code = secret.New(bytes.TrimSpace(b)) }},
		{"webauthn", f.assertion, provider.TakesAssertion, func(b []byte) { p.Brought.Document = bytes.TrimSpace(b) }},
	} {
		if x.file == "" {
			continue
		}
		if named++; named > 1 {
			return p, false, diags.Errorf("Two things are brought at once", "Bring one at a time: `remint verify` for each, and then apply.")
		}
		b, err := a.readProof(x.file)
		if err != nil {
			diags = diags.Errorf("What is brought cannot be read", "-%s: %s. It names a file; a token or code itself must not be on the command line, which others can read.", x.flag, err)
			continue
		}
		p.Takes = x.takes
		x.put(b)
	}
	if named > 0 {
		diags = append(diags, f.whose(p.Takes)...)
	}
	if named == 0 && (f.verifier != "" || f.subject != "" || f.identity != "") && a.verb.name != "verify" {
		diags = diags.Errorf("Nothing is brought", "-verifier, -subject and -as go with -identity-token, -code or -webauthn.")
	}
	return p, named > 0, diags
}

// whose refuses -as with what says by itself whose it is.
func (f *proofFlags) whose(takes provider.Takes) diag.Diagnostics {
	if f.identity == "" || takes == provider.TakesCode {
		return nil
	}
	return diag.Errored(0, "-as goes with a code", "A token, an assertion and a key say themselves whose they are, and -as=%s would change nothing. Leave it out.", f.identity)
}

func (a *app) readProof(file string) ([]byte, error) {
	if file != "-" {
		b, err := boundedfile.Read(file, maxProof)
		if err == nil && len(bytes.TrimSpace(b)) == 0 {
			err = errors.New("the file is empty")
		}
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(a.term.In, maxProof+1))
	switch {
	case err != nil:
		return nil, errors.New("standard input cannot be read")
	case len(b) > maxProof:
		return nil, errors.New("standard input is too large")
	case len(bytes.TrimSpace(b)) == 0:
		return nil, errors.New("standard input is empty")
	}
	return b, nil
}

// proofs is what apply and resume hand to the engine: what flags bring, and the
// documents that are named or lie beside the plan.
func (f *proofFlags) proofs(a *app, named []string, plan string) (engine.Proofs, diag.Diagnostics) {
	out := engine.Proofs{Getenv: a.getenv}
	p, ok, diags := f.presented(a)
	if ok {
		out.Presented = append(out.Presented, p)
	}
	if plan != "" {
		if beside := plan + verificationSuffix; exists(beside) {
			named = append(named, beside)
		}
	}
	seen := map[string]bool{}
	for _, path := range named {
		if seen[filepath.Clean(path)] {
			continue
		}
		seen[filepath.Clean(path)] = true
		b, err := boundedfile.Read(path, verify.MaxDocument)
		if err != nil {
			diags = diags.Errorf("A verification cannot be read", "%s: %s.", path, err)
			continue
		}
		out.Documents = append(out.Documents, gate.Document{Name: filepath.Base(path), Content: b})
	}
	return out, diags
}

// getenv reads this invocation's environment.
func (a *app) getenv(name string) string {
	for _, kv := range a.term.Environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// askCode lets somebody type a code, unseen where there is a terminal.
func (a *app) askCode(ctx context.Context, prompt string) (secret.Value, error) {
	a.view.Prompt(prompt)
	type line struct {
		text []byte
		err  error
	}
	got := make(chan line, 1)
	go func() {
		b, err := a.term.ReadHidden()
		got <- line{b, err}
	}()
	select {
	case l := <-got:
		text := bytes.TrimSpace(l.text)
		if l.err != nil || len(text) == 0 {
			return secret.Value{}, errors.New("nothing was typed")
		}
		return secret.New(text), nil
	case <-ctx.Done():
		a.term.ShowAgain()
		return secret.Value{}, errors.New("interrupted")
	}
}

// readKey reads a private key.
func readKey(path string) (secret.Value, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return secret.Value{}, errors.New("others may read it: chmod 600")
	}
	b, err := boundedfile.Read(path, maxProof)
	return secret.New(b), err
}
