package provider

import (
	"errors"
	"fmt"
)

// Class says what an error means for what to do next.
type Class string

// The classes. An error without one counts as Transient when nothing can have
// happened (reads) and as Ambiguous when something may have (changes).
const (
	// Transient: nothing happened; trying again may help.
	Transient Class = "transient"
	// NotFound: the thing is not there.
	NotFound Class = "not_found"
	// Conflict: somebody else holds or changed it; includes a stale fence.
	Conflict Class = "conflict"
	// Permanent: nothing happened, and trying again will not help.
	Permanent Class = "permanent"
	// Ambiguous: it may have happened, or may yet; probe before trying again (see Awaiter).
	Ambiguous Class = "ambiguous"
)

// ErrWriteOnly is returned by stores that cannot be read back.
var ErrWriteOnly = errors.New("the store cannot be read back")

// Error is a classed error. Message is for people: what failed, and what to
// do; it is never a wrapped driver error's text unless that is known to be
// free of secrets.
type Error struct {
	Class   Class
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes a classed error. Take care what the args can carry: driver
// errors quote URLs, and URLs carry passwords.
func Errorf(class Class, format string, args ...any) error {
	return &Error{Class: class, Message: fmt.Sprintf(format, args...)}
}

// ClassOf gives err's class, or fallback if it has none.
func ClassOf(err error, fallback Class) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return fallback
}
