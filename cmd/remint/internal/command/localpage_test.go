package command

import (
	"net"
	"testing"
)

// Whoever has the port on one of the loopback addresses could show browsers a page
// of his own: then none is served.
func TestPagesAreServedOnBothAddresses(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			if host == "127.0.0.1" {
				t.Fatal(err)
			}
			t.Logf("this machine has no %s: %v", host, err)
			continue
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if s, err := listenLocal("http://localhost:"+port+"/x", nil); err == nil {
			s.close()
			t.Errorf("it listens, and %s is somebody else's", host)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := listenLocal("http://localhost:"+port+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.close()
	}
}
