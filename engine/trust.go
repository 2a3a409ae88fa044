package engine

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing/fstest"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/trust"
)

// TrustOptions say where the judges come from. The zero value lets the workspace
// judge itself.
type TrustOptions struct {
	// Place is a directory, or git:REF[:PATH].
	Place string
	// Pin is the digest that the judges must have, wherever they come from; "" for any.
	Pin string
}

// trustBase is a trust base as it was read: nothing of it is read again.
type trustBase struct {
	workspace *config.Workspace
	model     *trust.Base
	// signer is the public key that evidence must be signed with.
	signer crypto.PublicKey
	// place is for people: where it was read, and which commit.
	place, commit string
	// unread is why policies of it cannot be read; then model is not all of it.
	unread diag.Diagnostics
	// authors are who wrote what the workspace has beyond it.
	authors trust.Authorship
}

// writers are the authors of the change that the workspace is, as far as a base tells.
func (b *trustBase) writers() []string {
	if b == nil {
		return nil
	}
	return b.authors.By
}

// authorship is who wrote the change, as policies see it; nil where there is no base,
// and so no change of one.
func (b *trustBase) authorship() *policy.ChangeAuthors {
	if b == nil {
		return nil
	}
	return &policy.ChangeAuthors{Known: b.authors.Unknown == "", Identities: append([]string{}, b.authors.By...)}
}

// anonymous warns where not all authors of the change are known, who could then approve it.
func (b *trustBase) anonymous() diag.Diagnostics {
	if b == nil || b.authors.Unknown == "" {
		return nil
	}
	return diag.Diagnostics{}.Warnf("Author unknown", "Who wrote the change of the workspace is not known: %s. Whoever did could approve it. Policies see that as authors.known.", b.authors.Unknown)
}

// doubtful warns where an approver could be an author of the change under a name that she
// does not list. It is said where approvals are asked for: there is nothing to hold up else.
func (s *session) doubtful(file *plan.File) diag.Diagnostics {
	if len(file.Plan.Requirements.Approvals) == 0 {
		return nil
	}
	q := gate.Question{Approvers: s.workspace.Approvers, Authors: s.base.writers(), Now: s.engine.opts.Now().UTC()}
	authors, approvers := q.Doubtful()
	if len(approvers) == 0 {
		return nil
	}
	return diag.Diagnostics{}.Warnf("An author could be an approver", "%s wrote the change of the workspace, and could be any of these, who list no identity of that kind: %s. "+
		"Where one of them approves, one approval more is asked. List among `identities`, in the trust base, the mail address and the github:NAME that each of them commits with.", visible(authors), some(approvers))
}

// visible names who is not known, for people.
func visible(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, addrs.Visible(n))
	}
	return some(out)
}

// loadBase reads the trust base that the options name; nil without one.
func (e *Engine) loadBase(offline bool) (*trustBase, diag.Diagnostics) {
	b, diags := e.readBase(offline)
	if b == nil || diags.HasErrors() {
		return nil, diags
	}
	if b.unread.HasErrors() {
		return nil, append(diags, b.unread...)
	}
	return b, slices.Concat(diags, b.unread, e.pinned(b.model))
}

// readBase is loadBase before its policies and its digest are looked at.
func (e *Engine) readBase(offline bool) (*trustBase, diag.Diagnostics) {
	if err := trust.CheckPin(e.opts.Trust.Pin); err != nil {
		return nil, diag.Errored(0, "REMINT_TRUST is no digest", "The environment variable REMINT_TRUST pins the trust base: %s.", err)
	}
	if e.opts.Trust.Place == "" {
		return nil, nil
	}
	fail := func(err error) (*trustBase, diag.Diagnostics) {
		return nil, diag.Errored(0, "The trust base cannot be read", "-trust=%s: %s.", e.opts.Trust.Place, err)
	}
	place, err := trust.ParsePlace(e.opts.Trust.Place)
	if err != nil {
		return fail(err)
	}
	b := &trustBase{place: place.String()}
	own := ""
	dir, label := place.Dir, filepath.Clean(place.Dir)+string(filepath.Separator)
	if dir == "" {
		tree, err := trust.ReadTree(context.Background(), e.opts.Dir, place)
		if err != nil {
			return fail(err)
		}
		defer tree.Remove()
		dir, b.commit, own = tree.Dir, tree.Commit, tree.Own
		if b.authors, err = trust.Authors(context.Background(), e.opts.Dir, tree.Commit); err != nil {
			return fail(err)
		}
		label = fmt.Sprintf("git:%.12s:", tree.Commit)
	} else {
		if err := e.apart(dir); err != nil {
			return fail(err)
		}
		own = trust.Beside(context.Background(), e.opts.Dir, dir)
		b.authors = trust.AuthorsBeyond(context.Background(), e.opts.Dir, dir)
	}
	var diags, faults diag.Diagnostics
	if own != "" {
		diags = diags.Warnf("The trust base is the workspace's own", "-trust=%s: %s. Name a protected branch that is not checked out here, as in git:origin/main.", place, own)
	}
	b.workspace, faults = e.loadFrom(offline, config.Options{Dir: dir, Home: e.opts.Dir, Label: label})
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	faults = b.read(dir)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	return b, diags
}

// apart finds fault with a folder that is no trust base for the workspace: there is none,
// or whoever changes the workspace changes it.
func (e *Engine) apart(dir string) error {
	switch info, err := os.Stat(dir); {
	case err != nil || !info.IsDir():
		return errors.New("there is no such directory; a tree of the repository is written git:REF[:PATH]")
	case same(dir, e.opts.Dir):
		return errors.New("it is the workspace itself, which would judge itself; leave -trust out, or name a protected branch as in git:origin/main")
	case trust.Within(dir, e.opts.Dir):
		return errors.New("it lies within the workspace, so that whoever changes the workspace changes who judges it; keep the trust base in a folder beside the workspace, or name a protected branch as in git:origin/main")
	}
	return nil
}

// read keeps what is needed beside the configuration, and digests all of it.
func (b *trustBase) read(dir string) diag.Diagnostics {
	var sources []policy.Source
	for i := range b.workspace.Policies {
		p := &b.workspace.Policies[i]
		source, faults := sourceOf(*p)
		if b.unread = append(b.unread, faults...); faults.HasErrors() {
			continue
		}
		files, faults := keptFiles(source)
		if b.unread = append(b.unread, faults...); faults.HasErrors() {
			continue
		}
		p.Files, p.Revision = files, source.Revision
		sources = append(sources, policy.Source{Name: p.Name, FS: files, Enforcement: string(p.Enforcement), Path: p.Path.Written, Revision: p.Revision})
	}
	digests, faults := policy.Digests(sources)
	b.unread = append(b.unread, faults...)
	public := b.workspace.Settings.SignerKey.Written
	if !filepath.IsAbs(public) {
		public = filepath.Join(dir, public)
	}
	public = evidence.PublicKeyPath(public)
	id := ""
	var err error
	if b.signer, err = evidence.LoadPublicKey(public); err == nil {
		id, err = evidence.KeyID(b.signer)
	}
	if err != nil {
		return slices.Concat(b.unread, diag.Errored(0, "The trust base does not say who signs", "It has no public key %s that can be read. Evidence is signed with the key that the trust base names: keep its public half there.",
			evidence.PublicKeyPath(b.workspace.Settings.SignerKey.Written)))
	}
	b.model = trust.Of(b.workspace, digests, id)
	return nil
}

// String says where it was read, for people.
func (b *trustBase) String() string {
	if b.commit != "" {
		return b.place + " at commit " + b.commit
	}
	return b.place
}

// keptFiles reads a source into memory.
func keptFiles(src policy.Source) (fs.FS, diag.Diagnostics) {
	texts, diags := policy.Files(src)
	if diags.HasErrors() {
		return nil, diags
	}
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
	}
	return files, diags
}

// same reports whether two paths are one directory.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
