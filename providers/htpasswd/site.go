package htpasswd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// site is one htpasswd file.
type site struct {
	file  provider.Path
	cost  int
	known []scheme
	now   func() time.Time
	queue
	reads    reads
	snapshot snapshot
}

// Identity is the file's real path: unlike its inode, it survives replacement.
func (s *site) Identity(context.Context) (string, error) {
	path, err := s.place()
	if err != nil {
		return "", err
	}
	return "htpasswd:" + path, nil
}

// Close has nothing to let go of.
func (s *site) Close() error { return nil }

// read gives the file's content; NotFound if there is none.
func (s *site) read(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, cancelled()
	}
	path, err := s.place()
	if err != nil {
		return nil, err
	}
	return s.content(ctx, path)
}

// entries gives the lines of one user.
func (s *site) entries(ctx context.Context, user string) ([]entry, error) {
	path, err := s.place()
	if err != nil {
		return nil, err
	}
	hashes, err := s.snapshot.hashes(path, user, func() ([]byte, error) { return s.read(ctx) })
	if err == nil && ctx.Err() != nil {
		err = cancelled()
	}
	var out []entry
	for _, h := range hashes {
		out = append(out, s.parse(h))
	}
	return out, err
}

func (s *site) entriesIn(data []byte, user string) []entry {
	var out []entry
	for _, l := range find(data, user) {
		out = append(out, s.parse(l.hash))
	}
	return out
}

// Inspect finds the user's lines.
func (s *site) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	found, err := s.entries(ctx, c.Attrs.String("user"))
	o := provider.Observation{Exists: len(found) > 0, Now: s.now()}
	switch {
	case provider.ClassOf(err, "") == provider.NotFound:
		o.Notes = append(o.Notes, fmt.Sprintf("The file %s does not exist yet; setting a password makes it.", s.file.Written))
		return o, nil
	case err != nil:
		return provider.Observation{}, err
	}
	seen := map[string]bool{}
	for _, e := range found {
		if e.locked() {
			continue
		}
		o.Enabled = true
		if id := e.version(); !seen[id] {
			seen[id] = true
			o.Versions = append(o.Versions, provider.Version{ID: id})
		}
	}
	o.Notes = notes(found)
	return o, nil
}

func notes(found []entry) []string {
	var out []string
	if len(found) > 1 {
		out = append(out, fmt.Sprintf("The user has %d lines; Apache and nginx take the first, others the last. A reset leaves one.", len(found)))
	}
	for _, e := range found {
		if doubt := e.doubt(); doubt != "" {
			out = append(out, "The old password cannot be tried: "+doubt+".")
		}
	}
	return out
}

// Probe compares m with the user's entry, as a server does on each request.
func (s *site) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	data, err := s.read(ctx)
	if provider.ClassOf(err, "") == provider.NotFound {
		return s.answer(provider.Unclear, "the file does not exist"), nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	return s.probe(data, c.Attrs.String("user"), m.Field("value").RevealString()), nil
}

// probe is accepted if the first line accepts, and refused only if no line
// could be taken for accepting, by whatever program.
func (s *site) probe(data []byte, user, password string) provider.Probe {
	out := s.answer(provider.Refused, "the file has no such user")
	for i, e := range s.entriesIn(data, user) {
		verdict, detail := e.try(password)
		switch {
		case i == 0:
			out.Verdict, out.Detail = verdict, detail
		case out.Verdict == provider.Refused && verdict != provider.Refused:
			out.Verdict = provider.Unclear
			out.Detail = fmt.Sprintf("the first line of the user refuses; on line %d of the user's, %s", i+1, detail)
		}
	}
	return out
}

func (s *site) answer(v provider.Verdict, detail string) provider.Probe {
	return provider.Probe{Verdict: v, Basis: lifecycle.Tested, Endpoint: s.file.Written, Detail: detail}
}

// Control tries a known user against the file's content with one line more, in
// memory: it shows that the file can be read and that what refuses can accept. A
// file that is not there is one without lines, as it is for whoever writes it.
func (s *site) Control(ctx context.Context, _ provider.Credential) (provider.Probe, error) {
	data, err := s.read(ctx)
	if err != nil && provider.ClassOf(err, "") != provider.NotFound {
		return provider.Probe{}, err
	}
	user, password := rand.Text(), rand.Text()
	hash, err := hashOf([]byte(password), lowestCost)
	if err != nil {
		return provider.Probe{}, err
	}
	p := s.probe(apply(data, added(data, user, hash)), user, password)
	p.Detail = "a known password, added to the file's content in memory: " + p.Detail
	return p, nil
}

// List names the users in the file: nobody where there is none.
func (s *site) List(ctx context.Context, _ string) ([]string, error) {
	data, err := s.read(ctx)
	if err != nil && provider.ClassOf(err, "") != provider.NotFound {
		return nil, err
	}
	return users(data), nil
}

// fault says what could not be done to the file. The texts of package os name
// paths and the system's reasons, nothing of the content.
func (s *site) fault(verb string, err error) error {
	class := provider.Transient
	var classed *provider.Error
	switch {
	case errors.As(err, &classed):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cancelled()
	case errors.Is(err, atomicfile.ErrUnsynced):
		class = provider.Ambiguous
	case errors.Is(err, fs.ErrNotExist):
		class = provider.NotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, atomicfile.ErrUnsafe):
		class = provider.Permanent
	}
	return provider.Errorf(class, "%s cannot be %s: %v", s.file.Written, verb, err)
}

// about puts the file's name before a classed error.
func (s *site) about(err error) error {
	if err == nil {
		return nil
	}
	return provider.Errorf(provider.ClassOf(err, provider.Permanent), "%s: %v", s.file.Written, err)
}

func cancelled() error {
	return provider.Errorf(provider.Transient, "cancelled or out of time before anything was changed; if another program holds the lock on the folder, let it finish and try again")
}
