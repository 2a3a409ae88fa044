package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
)

func tenThousand(b *testing.B) config.Options {
	var csv strings.Builder
	csv.WriteString("user,owner\n")
	for i := range 10_000 {
		fmt.Fprintf(&csv, "user%05d,owner%d@example.com\n", i, i%100)
	}
	dir := workspace(b, map[string]string{"team.csv": csv.String(), "main.remint.hcl": site + `credential "htpasswd_user" "team" {
  for_each    = { for row in csvdecode(file("team.csv")) : row.user => row }
  provider    = htpasswd.site
  user        = each.key
  owner       = each.value.owner
  environment = "test"
  store "file" "x" {
    path = "secrets/${each.key}"
  }
  consumer "command" "reload" {
    command = ["/bin/true"]
  }
}
`})
	o := options(dir)
	o.Vars = nil
	return o
}

func BenchmarkLoad10k(b *testing.B) {
	o := tenThousand(b)
	b.ReportAllocs()
	for b.Loop() {
		if w, diags := config.Load(o); w == nil || len(w.Credentials) != 10_000 {
			b.Fatal(diags.Err())
		}
	}
}

func BenchmarkExpand10k(b *testing.B) {
	w, diags := config.Load(tenThousand(b))
	if w == nil {
		b.Fatal(diags.Err())
	}
	reset := config.Reset{Reason: lifecycle.Scheduled, Mode: lifecycle.Cutover}
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range w.Credentials {
			if steps, diags := c.Runbook.Expand(c, reset); len(steps) != 11 {
				b.Fatal(len(steps), diags.Err())
			}
		}
	}
}
