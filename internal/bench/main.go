// Command bench measures the built program from outside, as its users meet it:
// how plan and apply grow with the number of credentials, how many honest
// PostgreSQL resets a second it makes beside the floor of bare SQL and logins in
// the same run, how fast it verifies evidence, how fast it starts.
//
//	bench [-sizes=100,1000,10000] [-postgresql=800] [-parallelism=10] bin/remint
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	sizes := flag.String("sizes", "100,1000,10000", "numbers of htpasswd users")
	roles := flag.Int("postgresql", 800, "number of PostgreSQL roles; 0 leaves them out")
	parallelism := flag.Int("parallelism", 10, "as of remint apply")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: bench [flags] PROGRAM")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *sizes, *roles, *parallelism); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// program is the remint under measurement.
type program struct {
	path        string
	parallelism int
}

func run(path, sizes string, roles, parallelism int) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	p := program{abs, parallelism}
	if err := p.start(); err != nil {
		return err
	}
	if err := p.growth(sizes); err != nil {
		return err
	}
	if roles == 0 {
		return nil
	}
	return p.postgresql(context.Background(), roles)
}

// usage is what one command cost.
type usage struct {
	wall time.Duration
	rss  int64 // bytes, at its peak
}

// measure runs the program in dir.
func (p program) measure(dir string, env []string, args ...string) (usage, error) {
	cmd := exec.Command(p.path, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := os.CreateTemp("", "bench-*.log")
	if err != nil {
		return usage{}, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	begun := time.Now()
	err = cmd.Run()
	u := usage{wall: time.Since(begun)}
	if cmd.ProcessState != nil { // it was started
		if s, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.rss = s.Maxrss << 10
		}
	}
	if err != nil {
		text, _ := os.ReadFile(out.Name())
		tail := string(text[max(0, len(text)-2000):])
		return u, fmt.Errorf("remint %s: %w\n%s", strings.Join(args, " "), err, tail)
	}
	return u, nil
}

// start measures how fast the program answers.
func (p program) start() error {
	dir, err := os.MkdirTemp("", "remint-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := p.workspace(dir, 1); err != nil {
		return err
	}
	fmt.Println("start-up (median of 21)")
	for _, args := range [][]string{{"version"}, {"validate"}} {
		var all []time.Duration
		for range 21 {
			u, err := p.measure(dir, nil, args...)
			if err != nil {
				return err
			}
			all = append(all, u.wall)
		}
		fmt.Printf("  %-10s %8s\n", args[0], median(all).Round(100*time.Microsecond))
	}
	return nil
}

func median(d []time.Duration) time.Duration {
	for i := range d {
		for j := i; j > 0 && d[j] < d[j-1]; j-- {
			d[j], d[j-1] = d[j-1], d[j]
		}
	}
	return d[len(d)/2]
}

// growth measures plan, apply and verify for each size.
func (p program) growth(sizes string) error {
	fmt.Printf("\nhtpasswd users, -parallelism=%d\n  %8s %10s %9s %10s %9s %10s %9s %12s\n", p.parallelism,
		"users", "plan", "MB", "apply", "MB", "verify", "MB", "bundles/s")
	var last usage
	lastN := 0
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("-sizes: %q is no number", s)
		}
		apply, err := p.grow(n)
		if err != nil {
			return err
		}
		if lastN > 0 {
			fmt.Printf("  %8s apply grew %.2f times for %.0f times the users\n", "", float64(apply.wall)/float64(last.wall), float64(n)/float64(lastN))
		}
		last, lastN = apply, n
	}
	return nil
}

func (p program) grow(n int) (usage, error) {
	dir, err := os.MkdirTemp("", "remint-bench-")
	if err != nil {
		return usage{}, err
	}
	defer os.RemoveAll(dir)
	if err := p.workspace(dir, n); err != nil {
		return usage{}, err
	}
	plan, err := p.measure(dir, nil, "plan", "-all", "-out=bench.plan")
	if err != nil {
		return usage{}, err
	}
	apply, err := p.measure(dir, nil, "apply", "-auto-approve", fmt.Sprintf("-parallelism=%d", p.parallelism), "bench.plan")
	if err != nil {
		return usage{}, err
	}
	verify, err := p.measure(dir, nil, "evidence", "verify")
	if err != nil {
		return usage{}, err
	}
	bundles, err := count(filepath.Join(dir, "evidence"))
	if err != nil {
		return usage{}, err
	}
	fmt.Printf("  %8d %10s %9d %10s %9d %10s %9d %12.0f\n", n, short(plan.wall), plan.rss>>20, short(apply.wall), apply.rss>>20,
		short(verify.wall), verify.rss>>20, float64(bundles)/verify.wall.Seconds())
	return apply, nil
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// count counts the bundles in an evidence directory.
func count(dir string) (int, error) {
	n := 0
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.jsonl"))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return 0, err
		}
		n += strings.Count(string(b), "\n")
	}
	return n, nil
}

// workspace lays down n htpasswd users that exist already, without stores.
func (p program) workspace(dir string, n int) error {
	const main = `remint {
  evidence {
    directory = "evidence"
    signer "key" { path = "keys/evidence.pem" }
  }
}
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "test"
}
credential "htpasswd_user" "team" {
  for_each = { for row in csvdecode(file("team.csv")) : row.user => row }
  provider = htpasswd.site
  user     = each.key
  owner    = each.value.owner
}
`
	var team, site strings.Builder
	team.WriteString("user,owner\n")
	for i := range n {
		fmt.Fprintf(&team, "user%06d,owner%d@example.com\n", i, i%100)
		fmt.Fprintf(&site, "user%06d:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n", i)
	}
	for name, content := range map[string]string{"main.remint.hcl": main, "team.csv": team.String(), "site.htpasswd": site.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	_, err := p.measure(dir, nil, "init", "-bare")
	return err
}
