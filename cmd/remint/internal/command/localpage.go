package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// localPage serves one page on this machine, and takes what it gives.
type localPage struct {
	// origin is the page's; url its address, in which nobody guesses the path.
	origin, url string
	path        string
	page        []byte
	listeners   []net.Listener
}

// patience is how long a page waits for its key.
const patience = 10 * time.Minute

// listenLocal takes the port of an address at localhost, in both of the families
// that browsers try: whoever had the other could show a page of his own there.
func listenLocal(address string, page []byte) (*localPage, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("it is no address")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	path := "/" + rand.Text() + "/"
	s := &localPage{origin: "http://" + u.Host, url: "http://" + u.Host + path, path: path, page: page}
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			s.listeners = append(s.listeners, l)
		case host == "::1" && !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES): // a machine without IPv6
		default:
			s.close()
			return nil, errors.New("something else listens there, or the port may not be used: end it, or give the verifier another origin")
		}
	}
	return s, nil
}

func (s *localPage) close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// serve serves the page until take is content, or ctx ends, or nobody comes. What
// take says is shown on the page.
func (s *localPage) serve(ctx context.Context, take func([]byte) (string, bool)) error {
	done := make(chan struct{})
	var one sync.Mutex
	finished := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+s.path+"{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		_, _ = w.Write(s.page)
	})
	mux.HandleFunc("POST "+s.path+"answer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.Header.Get("Origin") != s.origin || kind != "application/json" {
			http.Error(w, "This was not sent by the page.", http.StatusForbidden)
			return
		}
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "This is too long.", http.StatusRequestEntityTooLarge)
			return
		}
		one.Lock()
		defer one.Unlock()
		if finished {
			http.Error(w, "It was answered already.", http.StatusConflict)
			return
		}
		text, ok := take(b)
		if !ok {
			http.Error(w, text, http.StatusUnprocessableEntity)
			return
		}
		finished = true
		_, _ = io.WriteString(w, text)
		close(done)
	})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if "http://"+r.Host != s.origin { // a name of somebody else's that leads here
				http.Error(w, "There is nothing here.", http.StatusMisdirectedRequest)
				return
			}
			mux.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	ended := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { ended <- server.Serve(l) }()
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.New("interrupted")
	case <-late.C:
		err = errors.New("nobody used it for ten minutes; run it again")
	case cause := <-ended:
		err = fmt.Errorf("it could not be served any longer (%w); run it again", cause)
	}
	// The page is still to read what take said.
	soon, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if server.Shutdown(soon) != nil {
		_ = server.Close()
	}
	one.Lock() // what is being taken is taken
	defer one.Unlock()
	if finished {
		return nil
	}
	finished = true
	return err
}
