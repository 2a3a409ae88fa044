// Package browsertest runs a real browser, Chromium, for tests: with a security
// key in software, as its DevTools protocol has it. What a page may do with a key,
// and where, is then the browser's own judgement.
package browsertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what the browser finds where.
type Options struct {
	// Hosts maps names to addresses on this machine, as 127.0.0.1:8443. All others
	// are not found.
	Hosts map[string]string
	// Certificates are trusted by the SHA-256 of their public keys, in base64.
	Certificates []string
	// Downloads is the folder that gets what pages save.
	Downloads string
}

// Browser is a running one.
type Browser struct {
	cmd      *exec.Cmd
	dir      string
	to, from *os.File

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	ended   error
}

// message is one of the DevTools protocol: a command or its answer. Events are not
// looked at: what a page became is asked.
type message struct {
	ID      int             `json:"id"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// patience is how long a browser on a busy machine may take for anything.
const patience = 90 * time.Second

// Start runs a browser without a window, and returns when it answers. It is spoken
// to over a pipe, so that it listens nowhere.
func Start(o Options) (*Browser, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, errors.New("the test needs chromium: make deps installs it")
	}
	dir, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return nil, err
	}
	var rules []string
	for name, addr := range o.Hosts {
		rules = append(rules, "MAP "+name+" "+addr)
	}
	slices.Sort(rules)
	rules = append(rules, "MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1")
	b := &Browser{dir: dir, waiting: map[int]chan message{}}
	b.cmd = exec.Command(program,
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir="+dir, "--no-first-run", "--no-default-browser-check",
		"--no-sandbox", // it does not start as root with one; its pages are the tests' own
		"--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--password-store=basic", "--host-resolver-rules="+strings.Join(rules, ", "),
		"--ignore-certificate-errors-spki-list="+strings.Join(o.Certificates, ","), "about:blank")
	b.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }), "HOME="+dir)
	read, to, err := os.Pipe()
	if err == nil {
		var write *os.File
		if b.from, write, err = os.Pipe(); err == nil {
			b.to, b.cmd.ExtraFiles = to, []*os.File{read, write}
			err = b.cmd.Start()
			_ = write.Close()
		}
		_ = read.Close()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go b.listen()
	if err := b.call("", "Browser.setDownloadBehavior", map[string]any{"behavior": "allow", "downloadPath": o.Downloads}, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("the browser does not start: %w", err), b.Stop())
	}
	return b, nil
}

// listen hands answers to who waits for them.
func (b *Browser) listen() {
	in := bufio.NewReader(b.from)
	for {
		text, err := in.ReadBytes(0)
		var m message
		if err == nil {
			err = json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m)
		}
		b.mu.Lock()
		if err != nil {
			b.ended = fmt.Errorf("the browser ended: %w", err)
			for id, c := range b.waiting {
				close(c)
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		if c := b.waiting[m.ID]; c != nil && m.Method == "" {
			c <- m
			delete(b.waiting, m.ID)
		}
		b.mu.Unlock()
	}
}

// call sends a command and waits for its answer.
func (b *Browser) call(session, method string, params, result any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	b.last++
	id, err := b.last, b.ended
	b.waiting[id] = answer
	b.mu.Unlock()
	if err != nil {
		return err
	}
	text, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: params})
	if err != nil {
		return err
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", method, b.ended)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case result != nil:
			return json.Unmarshal(m.Result, result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s: the browser does not answer", method)
	}
}

// Stop ends the browser.
func (b *Browser) Stop() error {
	done := make(chan struct{})
	go func() { _ = b.cmd.Wait(); close(done) }()
	_ = b.to.Close() // it ends with its pipe
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = b.cmd.Process.Kill()
		<-done
	}
	_ = b.from.Close()
	var err error
	for range 20 { // its last children still write
		if err = os.RemoveAll(b.dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
