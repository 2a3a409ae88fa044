package main

import (
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

func TestValuesReadAsAWorkspaceWritesThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 100 * time.Millisecond: "100ms", 10 * time.Second: "10s", time.Minute: "1m", 90 * time.Second: "1m30s",
		20 * time.Minute: "20m", time.Hour: "1h", 10 * time.Hour: "10h", 61 * time.Minute: "1h1m", time.Hour + time.Second: "1h0m1s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v reads as %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%q is not %v again", want, d)
		}
	}
	if got := bound(provider.Attribute{Type: provider.Int}, 72); got != "72" {
		t.Errorf("a number's bound reads as %q", got)
	}
	if got := bound(provider.Attribute{Type: provider.Duration}, int64(time.Minute)); got != "1m" {
		t.Errorf("a duration's bound reads as %q", got)
	}
	if got := cell("a | b\n c"); got != `a \| b c` {
		t.Errorf("a cell reads as %q", got)
	}
}
