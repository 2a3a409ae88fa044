package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// maxKeyFile is more than any identity file has.
const maxKeyFile = 1 << 20

// ReadIdentities reads a file of age identities, or an SSH private key without
// a passphrase: what agekeys.Recipients takes can be opened again.
func ReadIdentities(path string) ([]age.Identity, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // a pipe is refused below, not waited for
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	if bytes.HasPrefix(b, []byte("-----BEGIN")) {
		id, err := agessh.ParseIdentity(b)
		if err != nil {
			return nil, fmt.Errorf("%s is no SSH private key that can be used here: it must be Ed25519 or RSA and have no passphrase", path)
		}
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s is no age identity file", path)
	}
	return ids, nil
}

// LocalIdentity reads the workspace's own sealing key, and makes it (0600) when
// it is not there: durably, before anything can be sealed with it.
func LocalIdentity(path string) (*age.X25519Identity, error) {
	ids, err := ReadIdentities(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeIdentity(path)
	}
	if err != nil {
		return nil, err
	}
	if x, ok := ids[0].(*age.X25519Identity); ok && len(ids) == 1 {
		return x, nil
	}
	return nil, fmt.Errorf("%s must hold one X25519 identity", path)
}

func makeIdentity(path string) (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, errors.New("the system gives no random numbers")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// Two processes may be first at once: each writes a file of its own, and
	// the one that links it wins.
	temp, err := os.CreateTemp(filepath.Dir(path), ".seal-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = fmt.Fprintf(temp, "# opens what remint has sealed in the state beside it\n%s\n", id)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, fmt.Errorf("%s cannot be written", path)
	}
	if err := os.Link(temp.Name(), path); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s cannot be written", path)
		}
		if id, err = LocalIdentity(path); err != nil {
			return nil, err
		}
	}
	// The winner may not be here yet: whoever uses the key makes it durable.
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return id, errors.Join(d.Sync(), d.Close())
}
