package main

import (
	"os"
	"strings"
	"time"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
)

// wrongClock gives parts the clock of the environment: REMINT_TEST_CLOCK is how
// far it is off and, after a comma, by how much it steps with every look at it.
func wrongClock(parts command.Parts) command.Parts {
	offset, step, _ := strings.Cut(os.Getenv("REMINT_TEST_CLOCK"), ",")
	if offset == "" {
		return parts
	}
	by, err := time.ParseDuration(offset)
	if err != nil {
		panic(err)
	}
	each := time.Duration(0)
	if step != "" {
		if each, err = time.ParseDuration(step); err != nil {
			panic(err)
		}
	}
	looks := make(chan time.Duration, 1)
	looks <- by
	parts.Now = func() time.Time {
		off := <-looks
		looks <- off + each
		return time.Now().Add(off)
	}
	return parts
}
