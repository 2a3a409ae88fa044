// Package file keeps secrets in files, and notices in a JSON lines file.
//
// A secret is the whole file, one key of a dotenv file, or one string in a JSON
// document; everything else in the file stays byte for byte, and so do its
// mode, owner and ACLs. Files are replaced whole, under a lock that other
// remint processes respect, and no copy of old content is left behind.
package file

import (
	"context"
	"errors"
	"io/fs"
	"strconv"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Store declares the store `file`.
func Store() provider.StoreDefinition {
	return provider.StoreDefinition{
		Name: "file",
		Description: "Keeps the secret in a file that services read: as the whole file, or as one key of a dotenv file or a JSON document. " +
			"The rest of the file stays byte for byte, as do its mode, owner and ACLs. The file is replaced atomically; its folder must exist. " +
			"Symbolic links and files with several hard links are refused: the other name would keep the old secret. " +
			"Emptying keeps the file and the key with an empty value, so that readers find no secret rather than a default.",
		Schema: storeSchema(),
		Open:   open,
	}
}

func storeSchema() provider.Schema {
	return provider.Schema{Attributes: []provider.Attribute{
		{Name: "path", Type: provider.PathType, Required: true, Writes: true,
			Description: "The file. A relative path starts at the workspace and may not lead through symbolic links."},
		{Name: "format", Type: provider.String, Default: "raw", OneOf: []string{"raw", "dotenv", "json"},
			Description: "`raw`: the file is the secret, byte for byte, with nothing added. " +
				"`dotenv`: the secret is one `KEY=value` line; order, comments, `export`, spacing and line endings of the file stay, and a repeated key is replaced everywhere. " +
				"Values with special characters are put in single quotes, also across lines; those that contain a single quote, in double quotes with backslashes as a shell wants them (of which Python's and Node.js's dotenv packages undo only some). " +
				"`json`: the secret is one string in a JSON document whose formatting stays."},
		{Name: "key", Type: provider.String,
			Description: "The key to replace, or to add if it is not there; for dotenv and json only. In JSON a dotted path such as `database.password`, through arrays by number; a backslash makes a dot part of a name."},
		{Name: "mode", Type: provider.String, Default: "0600", Check: checkMode,
			Description: "The mode of a file that does not exist yet, in octal. An existing file keeps its mode."},
		{Name: "trailing_newline", Type: provider.Bool, Default: false,
			Description: "For raw only: the file ends in a newline that is not part of the secret, as `echo` and editors leave it. Without it, a password in such a file is read with the newline."},
	}}
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil || n > 0o777 || n&0o600 != 0o600 || n&0o002 != 0 {
		return 0, errors.New(`must be an octal mode such as "0600" or "0640", readable and writable by its owner and not writable by everybody`)
	}
	return fs.FileMode(n), nil
}

func checkMode(v any) error {
	s, _ := v.(string)
	_, err := parseMode(s)
	return err
}

type store struct {
	path   provider.Path
	format format
	mode   fs.FileMode
}

func open(_ context.Context, b provider.Block) (provider.Store, error) {
	s := &store{path: b.Attrs.Path("path")}
	var err error
	if s.mode, err = parseMode(b.Attrs.String("mode")); err != nil {
		return nil, provider.Errorf(provider.Permanent, "mode %s", err)
	}
	if s.format, err = chooseFormat(b.Attrs); err != nil {
		return nil, err
	}
	return s, nil
}

func chooseFormat(a provider.Attrs) (format, error) {
	key, kind := a.String("key"), a.String("format")
	switch {
	case kind == "raw" && key != "":
		return nil, provider.Errorf(provider.Permanent, "key is for the formats dotenv and json: set the format, or leave out the key")
	case kind != "raw" && key == "":
		return nil, provider.Errorf(provider.Permanent, "the format %s needs a key: name the one to replace", kind)
	case kind != "raw" && a.Bool("trailing_newline"):
		return nil, provider.Errorf(provider.Permanent, "trailing_newline is for the format raw only")
	}
	switch kind {
	case "dotenv":
		if !dotenvKey.MatchString(key) {
			return nil, provider.Errorf(provider.Permanent, "key %s cannot stand in a dotenv file: use letters, digits and underscores", addrs.Quote(key))
		}
		return dotenv{key: key}, nil
	case "json":
		path, err := splitPath(key)
		if err != nil {
			return nil, provider.Errorf(provider.Permanent, "key %s", err)
		}
		return jsonFormat{path: path}, nil
	}
	return raw{newline: a.Bool("trailing_newline")}, nil
}

// Check makes sure that the file can be parsed and replaced.
func (s *store) Check(ctx context.Context) error {
	content, err := s.read()
	if err != nil {
		return err
	}
	if _, err := s.format.set(content, []byte("probe")); err != nil {
		return s.fault(err)
	}
	return s.failed(atomicfile.Check(ctx, s.path.Absolute, s.options()))
}

// Get gives the last value, which is the one that most readers use where a key
// is repeated.
func (s *store) Get(context.Context) (secret.Value, error) {
	values, err := s.values()
	if err != nil || len(values) == 0 || len(values[len(values)-1]) == 0 {
		return secret.Value{}, err
	}
	return secret.New(values[len(values)-1]), nil
}

// Put writes nothing if every place holds v already.
func (s *store) Put(ctx context.Context, v secret.Value) error {
	if len(v.Reveal()) == 0 {
		return provider.Errorf(provider.Permanent, "there is no value to put into %s", s.name())
	}
	return s.edit(ctx, func(old []byte) ([]byte, error) { return s.format.set(old, v.Reveal()) })
}

// Holds reports whether every place that readers may look at holds v.
func (s *store) Holds(_ context.Context, v secret.Value) (bool, error) {
	values, err := s.values()
	return err == nil && !v.IsZero() && allEqual(values, v.Reveal()), err
}

// Empty leaves an empty value; what is not there is not made.
func (s *store) Empty(ctx context.Context) error {
	return s.edit(ctx, func(old []byte) ([]byte, error) {
		values, err := s.format.values(old)
		if err != nil || len(values) == 0 || allEqual(values, nil) {
			return old, err
		}
		return s.format.set(old, nil)
	})
}

func (s *store) values() ([][]byte, error) {
	content, err := s.read()
	if err != nil {
		return nil, err
	}
	values, err := s.format.values(content)
	if err != nil {
		return nil, s.fault(err)
	}
	return values, nil
}

// read gives the content, nil if there is no file.
func (s *store) read() ([]byte, error) {
	if err := atomicfile.Confine(s.path); err != nil {
		return nil, err
	}
	content, err := atomicfile.Read(s.path.Absolute, s.options())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, s.failed(err)
}

func (s *store) edit(ctx context.Context, change func(old []byte) ([]byte, error)) error {
	if err := atomicfile.Confine(s.path); err != nil {
		return err
	}
	return s.failed(atomicfile.Edit(ctx, s.path.Absolute, s.options(), func(old []byte) ([]byte, error) {
		content, err := change(old)
		if err != nil {
			return nil, s.fault(err)
		}
		return content, nil
	}))
}

func (s *store) options() atomicfile.Options { return atomicfile.Options{Mode: s.mode} }

func (s *store) name() string { return addrs.Visible(s.path.Written) }

// fault is for what the file contains.
func (s *store) fault(err error) error {
	return provider.Errorf(provider.Permanent, "%s %s", s.name(), err)
}

func (s *store) failed(err error) error { return atomicfile.Classed(s.path, err) }
