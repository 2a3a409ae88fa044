package pgtest

import "context"

// TB is the part of testing.TB that New needs, so that programs that only
// Start servers do not link the testing package.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(func())
}

// New is Start for a test or benchmark, which ends the server with itself.
func New(t TB, o Options) *Server {
	t.Helper()
	s, err := Start(context.Background(), o)
	if err != nil {
		t.Fatalf("start a PostgreSQL server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the PostgreSQL server: %v", err)
		}
	})
	return s
}
