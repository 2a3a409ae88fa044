package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// folder is the file's folder, held open, so that nobody who renames folders
// meanwhile can lead the steps of one replacement to different places.
type folder struct {
	root   *os.Root
	self   *os.File // the folder itself, for the lock and fsync
	name   string
	handed bool // self was handed to lock, which closes it on failure
}

func open(path string, o Options) (*folder, error) {
	if o.Follow {
		var err error
		if path, err = resolve(path); err != nil {
			return nil, err
		}
	}
	dir := filepath.Dir(path)
	root, err := os.OpenRoot(dir)
	if err != nil {
		if info, e := os.Stat(dir); e == nil && !info.IsDir() { // which OpenRoot says in words only
			return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
		}
		return nil, err
	}
	self, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return &folder{root: root, self: self, name: filepath.Base(path)}, nil
}

func (d *folder) close() {
	if !d.handed {
		_ = d.self.Close()
	}
	_ = d.root.Close()
}

func (d *folder) lock(ctx context.Context) error {
	if err := lock(ctx, d.self, d.root.Name()); err != nil {
		d.handed = true
		return err
	}
	return nil
}

// stat refuses whatever is not one plain file with one name.
func (d *folder) stat() (fs.FileInfo, error) {
	info, err := d.root.Lstat(d.name)
	if err != nil {
		return nil, err
	}
	if err := plain(info, "the other names would keep the old content"); err != nil {
		return nil, err
	}
	return info, nil
}

func (d *folder) read() ([]byte, error) {
	f, err := d.root.Open(d.name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// Room for the size it has now, and for the read that finds the end: large
	// files are read again and again, and growing would copy them each time.
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= MaxSize {
		b.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = b.ReadFrom(io.LimitReader(f, MaxSize+1))
	if err == nil && b.Len() > MaxSize {
		return nil, ErrTooLarge
	}
	return b.Bytes(), err
}

func (d *folder) temp() string { return "." + d.name + ".remint-tmp" }

// sweep removes what a killed process left. The lock is held: nobody uses it.
func (d *folder) sweep() error {
	if err := d.root.Remove(d.temp()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *folder) create() (*os.File, error) {
	if err := d.sweep(); err != nil {
		return nil, err
	}
	return d.root.OpenFile(d.temp(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// replace asks last, just before the new file takes the name.
func (d *folder) replace(info fs.FileInfo, mode fs.FileMode, write func(io.Writer) error, last func() error) error {
	f, err := d.create()
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = liken(f, d, info, mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = last()
	}
	if err == nil {
		err = d.root.Rename(d.temp(), d.name)
	}
	if err != nil {
		return errors.Join(err, d.sweep())
	}
	if err := d.self.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsynced, err)
	}
	return nil
}

// liken gives f the owner, mode and extended attributes of the file that it
// will replace, or mode if there is none.
func liken(f *os.File, d *folder, info fs.FileInfo, mode fs.FileMode) error {
	if info == nil {
		if mode == 0 {
			mode = 0o600
		}
		return f.Chmod(mode)
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	old, ok1 := info.Sys().(*syscall.Stat_t)
	cur, ok2 := mine.Sys().(*syscall.Stat_t)
	if ok1 && ok2 && (old.Uid != cur.Uid || old.Gid != cur.Gid) {
		if err := f.Chown(int(old.Uid), int(old.Gid)); err != nil {
			return fmt.Errorf("keep owner %d and group %d: %w", old.Uid, old.Gid, err)
		}
	}
	if err := f.Chmod(info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)); err != nil {
		return err
	}
	src, err := d.root.Open(d.name)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	return copyAttributes(f, src)
}
