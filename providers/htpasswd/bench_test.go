package htpasswd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// BenchmarkResets is what a run does to one file of many users, ten at a time:
// each is inspected, set, and tried.
func BenchmarkResets(b *testing.B) {
	for _, n := range []int{1000, 5000} {
		b.Run(fmt.Sprint("users=", n), func(b *testing.B) {
			var file bytes.Buffer
			for i := range n {
				fmt.Fprintf(&file, "user%06d:$2y$05$abcdefghijklmnopqrstuuO1C8sQ0Vn3pQ0X0jE0cR7k8dM0kqfXy\n", i)
			}
			path := filepath.Join(b.TempDir(), "site.htpasswd")
			if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
			s := &site{file: provider.Path{Written: path, Absolute: path}, cost: lowestCost, known: schemes(), now: time.Now, queue: queue{turn: make(chan struct{}, 1)}}
			ctx, jobs := context.Background(), make(chan int)
			var running sync.WaitGroup
			for range 10 {
				running.Go(func() {
					for i := range jobs {
						c := provider.Credential{Address: "a", Type: "htpasswd_user", Attrs: provider.NewAttrs(map[string]any{"user": fmt.Sprintf("user%06d", i%n)})}
						m := secret.Single(secret.FromString(fmt.Sprint("password", i)))
						_, err1 := s.Inspect(ctx, c)
						_, err2 := s.Set(ctx, provider.Mutation{Credential: c}, m)
						p, err3 := s.Probe(ctx, c, m)
						if err1 != nil || err2 != nil || err3 != nil || p.Verdict != provider.Accepted {
							b.Error(err1, err2, err3, p)
						}
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				jobs <- i
			}
			close(jobs)
			running.Wait()
		})
	}
}
