// Package pgtest runs private PostgreSQL servers for tests, benchmarks and
// plain programs: data directory, socket and log in a temporary folder, one
// port on 127.0.0.1, SCRAM for every login, ended by their own process id.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Superuser is the name of every server's superuser.
const Superuser = "postgres"

// Options vary a server. The zero value is a server that logs all statements
// and does not wait for the disk.
type Options struct {
	// Settings are added to postgresql.conf and override this package's.
	Settings map[string]string
	// HBA are lines of pg_hba.conf that are asked before "SCRAM for everybody".
	HBA []string
	// TLS turns TLS on, with a certificate for the name localhost.
	TLS bool
}

// Server is a running server.
type Server struct {
	// Host is 127.0.0.1.
	Host string
	Port int
	// SocketDir holds the Unix socket, which asks for SCRAM too.
	SocketDir string
	// SuperPassword is the password of Superuser.
	SuperPassword string
	// CAFile verifies the server's certificate; "" without Options.TLS.
	CAFile string

	dir, bin string
	process  *exec.Cmd
	exited   chan struct{}
}

// Start makes a new cluster and starts its server as an unprivileged user
// (`postgres` where the caller is root). It returns when the server accepts
// connections. The caller must Stop it; ctx bounds the start alone.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", SocketDir: dir, SuperPassword: rand.Text(), dir: dir, bin: bin}
	if err := s.initialize(ctx, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	for range 3 { // another process may take the free port first
		if err = s.launch(ctx); err == nil {
			return s, nil
		}
		if ended := s.end(); ended != nil {
			return nil, errors.Join(err, ended)
		}
	}
	return nil, errors.Join(err, s.Stop())
}

func (s *Server) initialize(ctx context.Context, o Options) error {
	who, err := unprivileged()
	if err != nil {
		return err
	}
	pwfile := filepath.Join(s.dir, "pwfile")
	if err := os.WriteFile(pwfile, []byte(s.SuperPassword), 0o600); err != nil {
		return err
	}
	if who != nil {
		for _, f := range []string{s.dir, pwfile} {
			if err := os.Chown(f, int(who.Uid), int(who.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := exec.CommandContext(ctx, s.Bin("initdb"), "-D", s.data(), "-U", Superuser, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--pwfile="+pwfile)
	initdb.Dir, initdb.SysProcAttr = s.dir, runAs(who)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if o.TLS {
		if err := s.certify(who); err != nil {
			return err
		}
	}
	hba := strings.Join(append(o.HBA,
		"local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"), "\n")
	return errors.Join(
		os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(hba+"\n"), 0o600),
		appendFile(filepath.Join(s.data(), "postgresql.conf"), settings(o)))
}

func settings(o Options) string {
	all := map[string]string{
		"log_statement": "all", "log_connections": "on", "log_line_prefix": "%m [%p] %q%u@%d %a ",
		"fsync": "off", "max_prepared_transactions": "10", "max_connections": "60", "shared_buffers": "32MB",
	}
	if o.TLS {
		all["ssl"] = "on"
	}
	for k, v := range o.Settings {
		all[k] = v
	}
	var b strings.Builder
	for k, v := range all {
		fmt.Fprintf(&b, "\n%s = '%s'", k, strings.ReplaceAll(v, "'", "''"))
	}
	return b.String() + "\n"
}

func (s *Server) launch(ctx context.Context) error {
	who, err := unprivileged()
	if err != nil {
		return err
	}
	if s.Port, err = freePort(); err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.process = exec.Command(s.Bin("postgres"), "-D", s.data(), "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses="+s.Host, "-c", "unix_socket_directories="+s.SocketDir)
	s.process.Dir, s.process.Stdout, s.process.Stderr, s.process.SysProcAttr = s.dir, log, log, runAs(who)
	if err := s.process.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() { _ = s.process.Wait(); close(s.exited) }()
	return s.awaitReady(ctx)
}

// awaitReady waits for the server to say "ready" in its pid file.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		pidFile, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		lines := strings.Split(string(pidFile), "\n")
		if lines[0] == strconv.Itoa(s.process.Process.Pid) && strings.Contains(string(pidFile), "\nready") {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended at once: %s", s.Log())
		case <-ctx.Done():
			return fmt.Errorf("the server does not get ready: %w: %s", ctx.Err(), s.Log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// URL is a connection URL for user over TCP to the database postgres.
func (s *Server) URL(user, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Path: "/postgres",
		Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), RawQuery: "sslmode=disable",
	}
	return u.String()
}

// SuperURL is URL for the superuser.
func (s *Server) SuperURL() string { return s.URL(Superuser, s.SuperPassword) }

// Log is everything that the server has logged.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.logFile())
	return string(b)
}

// Bin is the path of one of PostgreSQL's programs of the server's version.
func (s *Server) Bin(name string) string { return filepath.Join(s.bin, name) }

func (s *Server) data() string    { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
