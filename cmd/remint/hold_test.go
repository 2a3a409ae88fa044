package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/remint-dev/remint/internal/flock"
)

// hold takes dir's lock, as another process that is at work there, and keeps it.
func hold(dir string) {
	f, err := os.Open(dir)
	if err == nil {
		err = flock.Lock(context.Background(), f, flock.Patience{Limit: time.Minute})
	}
	fmt.Println(err)
	select {}
}
