package postgresql

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/remint-dev/remint/internal/boundedconn"
)

// authCode is how a server answers the first message of a login.
type authCode int64

// The answers that matter; the numbers are the protocol's.
const (
	authNotYet    authCode = -1 // nothing, or an error, before asking
	authOK        authCode = 0  // welcome, without being asked anything
	authCleartext authCode = 3
	authMD5       authCode = 5
	authSASL      authCode = 10
)

// authRequest reads along as a server answers, up to what it asks for. pgx
// keeps that to itself, but a refusal proves something only after the server
// asked for SCRAM.
type authRequest struct{ head []byte }

// headLen is the length of a message's type, length, and authentication code.
const headLen = 9

// code says what the server asked for.
func (a *authRequest) code() authCode {
	if len(a.head) < headLen || a.head[0] != 'R' {
		return authNotYet
	}
	return authCode(binary.BigEndian.Uint32(a.head[5:]))
}

func (a *authRequest) see(b []byte) {
	if need := headLen - len(a.head); need > 0 {
		a.head = append(a.head, b[:min(need, len(b))]...)
	}
}

// Bounds on what a server can have this side hold, in bytes: of one message, and of all
// between two questions, which is room for the names of 200,000 roles.
const (
	maxMessage = 1 << 20
	maxAnswer  = 16 << 20
)

// tooMuch reports whether the server went beyond them.
func tooMuch(err error) bool {
	var message *pgproto3.ExceededMaxBodyLenErr
	return errors.As(err, &message) || errors.Is(err, boundedconn.ErrTooMuch)
}

// frontend makes pgx read through a; told, if not nil, hears the code once.
func (a *authRequest) frontend(told func(authCode)) pgconn.BuildFrontendFunc {
	return func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		a.head = nil // a fall-back from TLS to plain starts anew
		talk := boundedconn.NewTalk(r, w, maxAnswer)
		return pgproto3.NewFrontend(&watched{Reader: talk, note: a, told: told}, talk)
	}
}

type watched struct {
	io.Reader
	note *authRequest
	told func(authCode)
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if before := len(w.note.head); before < headLen && n > 0 {
		w.note.see(b[:n])
		if len(w.note.head) == headLen && w.told != nil {
			w.told(w.note.code())
		}
	}
	return n, err
}
