package command

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
	"github.com/remint-dev/remint/internal/atomicfile"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// verificationSuffix is what the name of a verification adds to its plan's.
const verificationSuffix = ".verification.json"

func verifyVerb() *verb {
	return &verb{
		name: "verify", args: "PLAN", synopsis: "show who asks for a plan, or whose secret it resets",
		help: `
Shows one of the workspace's verifiers who you are, for this plan: as the one
who asks for it, or with -subject as the person whose secret is reset. What can
be judged again is written beside the plan, PLAN.verification.json, and apply
judges it again. A code can be shown once: the state remembers that it was.

What you bring depends on the verifier: an ID token (-identity-token), a code
(-code, or typed when asked), a security key's assertion (-webauthn), a key that
signs (-key). -challenge prints what a token or an assertion must be bound to. An
ID token that is not bound to the plan cannot be kept; give it to apply.

-browser PLAN shows a security key: it prints the link of a page that asks for the
key, which gives a file for -webauthn. -page=FILE writes that page, to be hosted at
an origin of the verifier. Where the verifier is of localhost, no page is hosted:
remint serves it itself, on this machine only, until the key has answered.
-new-key=WHO registers a security key in the same way, and takes no plan.

-new-codes=WHO makes recovery codes, for a verifier "recovery", and takes no plan.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var f proofFlags
			f.flags(fs)
			key := fs.String("key", "", "sign with the private key in `FILE` (PKCS#8 PEM)")
			challenge := fs.Bool("challenge", false, "print, as JSON, what to bind a token or an assertion to; nothing else")
			who := fs.String("new-codes", "", "make ten recovery codes for `WHO`, instead: -out takes them, standard output the lines that declare them")
			out := fs.String("out", "", "the new `FILE` for -new-codes, which nobody else may read")
			browser := fs.Bool("browser", false, "show a security key, with a browser")
			newKey := fs.String("new-key", "", "register a security key of `WHO` with a browser, instead: standard output gets what declares it, or the link")
			page := fs.String("page", "", "write the page for -browser and -new-key to `FILE`, instead")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit {
				switch n := len(slices.DeleteFunc([]bool{*challenge, *browser, *newKey != "", *page != "", *who != "" || *out != "", *key != ""}, func(on bool) bool { return !on })); {
				case n > 1:
					a.fault("Two things are asked at once", "-challenge, -browser, -new-key, -page, -new-codes and -key each do another thing. Give one.")
					return diag.ExitError
				case *page != "":
					return a.writePage(*page, args)
				case *newKey != "":
					return a.newKey(ctx, f.verifier, *newKey, args)
				}
				if *who != "" || *out != "" {
					return a.newCodes(*who, *out, args)
				}
				path, ok := a.oneArg(args, "a plan file")
				if !ok {
					return diag.ExitError
				}
				file, diags := engine.ReadPlan(path)
				if diags.HasErrors() {
					return a.done(diags)
				}
				if *challenge {
					return a.challenge(ctx, file, f.subject)
				}
				if *browser {
					return a.browse(ctx, f, path, file)
				}
				return a.verify(ctx, f, *key, path, file)
			}
		},
	}
}

// newCodes makes codes for somebody to keep.
func (a *app) newCodes(who, out string, args []string) diag.Exit {
	if who == "" || out == "" || strings.ContainsAny(who, " #") || addrs.Visible(who) != who {
		a.fault("Whose codes, and where to", "-new-codes=WHO goes with -out=FILE; WHO is a word without spaces, as credentials' `subject` names people, in letters that are what they seem.")
		return diag.ExitError
	}
	if !a.noArgs(args) {
		return diag.ExitError
	}
	var codes []byte
	var lines strings.Builder
	for range 10 {
		code, line, err := a.parts.Registry.Verifier("recovery").NewCode(who)
		if err != nil {
			return a.done(diag.Errored(0, "The codes cannot be made", "%s.", err))
		}
		codes = append(append(codes, code.Reveal()...), '\n')
		lines.WriteString(line + "\n")
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.Write(codes)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		return a.done(diag.Errored(0, "The codes cannot be saved", "%s: it must be a new file in a folder that can be written to.", out))
	}
	a.view.Text(lines.String())
	a.view.Note("Ten codes are in " + out + ": hand them over, and remove the file.")
	return diag.ExitOK
}

func (a *app) challenge(ctx context.Context, file *plan.File, subject string) diag.Exit {
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	list, diags := e.Challenges(ctx, file, subject)
	if !diags.HasErrors() {
		a.view.Challenges(list)
	}
	return a.done(diags)
}

func (a *app) verify(ctx context.Context, f proofFlags, key, path string, file *plan.File) diag.Exit {
	p, brought, diags := f.presented(a)
	req := engine.VerifyRequest{File: file, Getenv: a.getenv}
	switch {
	case key != "" && brought:
		diags = diags.Errorf("Two things are brought at once", "-key signs; bring a token, code or assertion in a verification of its own.")
	case key != "":
		var err error
		if req.Key, err = readKey(key); err != nil {
			diags = diags.Errorf("The key cannot be used", "%s: %s.", key, err)
		}
		p.Takes = provider.TakesStatement
		diags = append(diags, f.whose(p.Takes)...)
	}
	e, faults := a.engine(nil, 0)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	if key == "" && !brought {
		if p.Takes, faults = e.Takes(p.Verifier); faults.HasErrors() {
			return a.done(faults)
		}
		if faults = f.whose(p.Takes); faults.HasErrors() {
			return a.done(faults)
		}
		if p.Takes == provider.TakesCode {
			var err error
			if p.Brought.Code, err = a.askCode(ctx, "Code: "); err != nil {
				return a.done(diag.Errored(diag.ExitMissing, "Not verified", "No code was given: %s.", err))
			}
		}
	}
	req.Presented = p
	got, diags := a.judged(ctx, e, req, path)
	if got == nil {
		return a.done(diags)
	}
	a.view.Verified(got, kept(got, path))
	return a.done(diags)
}

// kept is the document in which what was shown lies, "" if it could not be kept.
func kept(got *engine.Verification, path string) string {
	if got.Lost {
		return ""
	}
	return path + verificationSuffix
}

// judged has what is brought judged, and writes what can be judged again beside the plan.
func (a *app) judged(ctx context.Context, e *engine.Engine, req engine.VerifyRequest, path string) (*engine.Verification, diag.Diagnostics) {
	out := path + verificationSuffix
	if exists(out) {
		b, err := boundedfile.Read(out, verify.MaxDocument)
		if err != nil {
			return nil, diag.Errored(0, "The verification beside the plan cannot be read", "%s: %s.", out, err)
		}
		req.Document = b
	}
	got, diags := e.Verify(ctx, req)
	a.tellTrust(e)
	if diags.HasErrors() {
		return nil, diags
	}
	if got.Lost {
		return got, append(diags, diag.Errored(diag.ExitMissing, "Not kept", "The token holds, but is not bound to this plan, and would be worth something to whoever reads it beside the plan. "+
			"Give it to apply with -identity-token=FILE, or log in with the nonce that `remint verify -challenge %s` prints.", path)...)
	}
	// Personal data stands in it, and an ID token whose audience may be careless about nonces.
	err := atomicfile.Replace(context.Background(), out, atomicfile.Options{Mode: os.FileMode(0o600)}, func(w io.Writer) error {
		_, err := w.Write(got.Document)
		return err
	})
	if err != nil {
		return nil, diag.Errored(0, "The verification cannot be saved", "%s: %s.", out, err)
	}
	return got, diags
}
