package command

import (
	"errors"
	"io/fs"
	"os"
)

// reason is an error of the file system without the path, which the message has.
func reason(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}
