package postgresql

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/remint-dev/remint/internal/boundedconn"
)

// Bounds on what the server can have this side hold, in bytes. Before the login it can be
// anybody, who has a few lines to say. After it a message is a value at most, of which the
// largest is a plan of 512 MiB in the base64 of evidence; an answer is a page of them.
const (
	maxStranger = 1 << 20
	maxValue    = 768 << 20
	maxAnswer   = 1 << 30
)

// bound makes c hold to them. It is for one connection, with its further attempts.
func bound(c *pgconn.Config) {
	talks := map[*pgproto3.Frontend]*boundedconn.Talk{} // one for each attempt
	c.MaxProtocolMessageBodyLen = maxStranger
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		talk := boundedconn.NewTalk(r, w, maxStranger)
		f := pgproto3.NewFrontend(talk, talk)
		talks[f] = talk
		return f
	}
	c.AfterConnect = func(_ context.Context, conn *pgconn.PgConn) error {
		conn.Frontend().SetMaxBodyLen(maxValue)
		talks[conn.Frontend()].Let(maxAnswer)
		return nil
	}
}

// tooMuch reports whether the server went beyond them.
func tooMuch(err error) bool {
	var message *pgproto3.ExceededMaxBodyLenErr
	return errors.As(err, &message) || errors.Is(err, boundedconn.ErrTooMuch)
}
