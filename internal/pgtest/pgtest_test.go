package pgtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/remint-dev/remint/internal/pgtest"
)

func TestServer(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{
		Settings: map[string]string{"authentication_timeout": "3s"},
		HBA:      []string{"host all open 127.0.0.1/32 trust"},
	})
	conn, err := pgx.Connect(context.Background(), s.SuperURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var timeout string
	if err := conn.QueryRow(context.Background(), "SHOW authentication_timeout").Scan(&timeout); err != nil || timeout != "3s" {
		t.Errorf("authentication_timeout is %q (%v), want the configured 3s", timeout, err)
	}
	if _, err := conn.Exec(context.Background(), "CREATE ROLE open LOGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(context.Background(), s.URL(pgtest.Superuser, "wrong")); err == nil {
		t.Error("a wrong password logs in")
	}
	if open, err := pgx.Connect(context.Background(), s.URL("open", "")); err != nil {
		t.Errorf("the HBA line is not in force: %v", err)
	} else {
		_ = open.Close(context.Background())
	}
	if !strings.Contains(s.Log(), "CREATE ROLE open") {
		t.Error("the log does not show statements")
	}
	psql := exec.Command(s.Bin("psql"), "-h", s.SocketDir, "-U", pgtest.Superuser, "-d", "postgres", "-Atc", "SELECT 1")
	psql.Env = append(os.Environ(), "PGPORT="+portOf(conn), "PGPASSWORD="+s.SuperPassword)
	if out, err := psql.CombinedOutput(); err != nil || string(out) != "1\n" {
		t.Errorf("psql over the socket: %v: %s", err, out)
	}
}

func portOf(c *pgx.Conn) string {
	var port string
	_ = c.QueryRow(context.Background(), "SHOW port").Scan(&port)
	return port
}

func TestStopLeavesNothing(t *testing.T) {
	s, err := pgtest.Start(context.Background(), pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(s.SocketDir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, err := pgx.Connect(context.Background(), s.SuperURL()); err == nil {
		t.Error("the server still answers")
	}
}

func TestBadSettingIsReported(t *testing.T) {
	s, err := pgtest.Start(context.Background(), pgtest.Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil {
		_ = s.Stop()
		t.Fatal("a server with a bad setting starts")
	}
	if !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("the error does not say why: %v", err)
	}
}
