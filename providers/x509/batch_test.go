package x509

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// TestRevocationsAtOnce: none is lost, whether it led a batch or joined one,
// and two providers on the same files do not undo each other's.
func TestRevocationsAtOnce(t *testing.T) {
	attrs := authorityFiles(t, t.TempDir())
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})}
	p, q := opened(t, attrs), opened(t, attrs)
	const each = 60
	var wg sync.WaitGroup
	for i := range each {
		for n, r := range []*Provider{p, q} {
			wg.Go(func() {
				id := fmt.Sprintf("%x", 0x1000*(n+1)+i)
				if _, err := r.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{id}); err != nil {
					t.Error(err)
					return
				}
				if _, dead := listed(t, r).revoked(id); !dead {
					t.Errorf("%s is not on the list when Revoke returns", id)
				}
			})
		}
	}
	wg.Wait()
	crl := listed(t, p)
	if len(crl.at) != 2*each {
		t.Errorf("%d on the list, want %d", len(crl.at), 2*each)
	}
}

// TestRevocationsJoin: those that wait for the lock are signed as one list.
func TestRevocationsJoin(t *testing.T) {
	p := opened(t, authorityFiles(t, t.TempDir()))
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})}
	unlock, err := atomicfile.Lock(t.Context(), filepath.Dir(p.crl.Absolute))
	if err != nil {
		t.Fatal(err)
	}
	const many = 40
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			if _, err := p.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{fmt.Sprintf("%x", 1+i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for joined := 0; joined < many; time.Sleep(time.Millisecond) {
		p.revocations.mu.Lock()
		if p.revocations.next != nil {
			joined = len(p.revocations.next.serials)
		}
		p.revocations.mu.Unlock()
	}
	unlock()
	wg.Wait()
	if crl := listed(t, p); crl.Number.Int64() != 1 || len(crl.at) != many {
		t.Errorf("CRL number %v with %d entries, want one list with %d", crl.Number, len(crl.at), many)
	}
}

// TestBatchThatFails: everybody in it hears of it, and the next one works.
func TestBatchThatFails(t *testing.T) {
	attrs := authorityFiles(t, t.TempDir())
	api := provider.Credential{Attrs: provider.NewAttrs(map[string]any{"common_name": "api"})}
	p := opened(t, attrs)
	key, err := os.ReadFile(p.key.Absolute)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.key.Absolute); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			_, err := p.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{fmt.Sprintf("%x", 1+i)})
			if provider.ClassOf(err, "") != provider.Permanent {
				t.Errorf("without the key: %v", err)
			}
		})
	}
	wg.Wait()
	if err := os.WriteFile(p.key.Absolute, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Revoke(t.Context(), provider.Mutation{Credential: api}, []string{"ab"}); err != nil {
		t.Error(err)
	}
}

func listed(t *testing.T, p *Provider) *revocations {
	t.Helper()
	ca, err := p.authority()
	if err != nil {
		t.Fatal(err)
	}
	crl, err := p.list(ca)
	if err != nil {
		t.Fatal(err)
	}
	return crl
}
