package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remint-dev/remint/internal/browsertest"
)

// browserCmds are the scripts' commands of somebody with a browser and a security key.
func browserCmds() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"browser": browser, "plug": plug, "visit": visit, "choose": choose, "click": click, "sees": sees, "gives": gives, "saves": saves, "freeport": freeport, "post": post,
	}
}

// browsers are the tabs, and what serves pages, by work folder.
var browsers sync.Map

func tab(ts *testscript.TestScript) *browsertest.Page {
	p, ok := browsers.Load(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("there is no browser yet")
	}
	return p.(*browsertest.Page)
}

// browser NAME…: a real browser, in which remint.html is hosted with https at each of
// the names, and frame.html, which shows it inside itself.
func browser(ts *testscript.TestScript, _ bool, args []string) {
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/remint.html":
			http.ServeFile(w, r, ts.MkAbs("remint.html"))
		case "/frame.html":
			_, _ = w.Write([]byte(`<iframe id="inner" allow="publickey-credentials-get *" width="900" height="900"></iframe><script>inner.src = "https://" + decodeURIComponent(location.search.slice(1)) + location.hash</script>`))
		default:
			http.NotFound(w, r)
		}
	}))
	ts.Defer(host.Close)
	sum := sha256.Sum256(host.Certificate().RawSubjectPublicKeyInfo)
	o := browsertest.Options{Hosts: map[string]string{}, Certificates: []string{base64.StdEncoding.EncodeToString(sum[:])}, Downloads: ts.MkAbs("saved")}
	for _, name := range args {
		o.Hosts[name] = host.Listener.Addr().String()
	}
	b, err := browsertest.Start(o)
	ts.Check(err)
	ts.Defer(func() { _ = b.Stop() })
	p, err := b.Open()
	ts.Check(err)
	browsers.Store(ts.Getenv("WORK"), p)
}

// plug [verifies] [refuses] [untouched] [lax]: plugs in a key, in place of what there is;
// plug again HOW…: the key that is there behaves otherwise from now on.
func plug(ts *testscript.TestScript, _ bool, args []string) {
	k := browsertest.Key{Verifies: slices.Contains(args, "verifies"), Refuses: slices.Contains(args, "refuses"), Untouched: slices.Contains(args, "untouched"), Lax: slices.Contains(args, "lax")}
	if slices.Contains(args, "again") {
		ts.Check(tab(ts).Change(k))
		return
	}
	ts.Check(tab(ts).Plug(k))
}

// visit FILE [OLD=>NEW]…: opens the link that stands in a file, or that file itself if it
// is a link, with texts of it replaced.
func visit(ts *testscript.TestScript, _ bool, args []string) {
	link := args[0]
	if !strings.HasPrefix(link, "http") {
		link = awaited(ts, args[0])
	}
	for _, x := range args[1:] {
		old, next, _ := strings.Cut(x, "=>")
		if !strings.Contains(link, old) {
			ts.Fatalf("%s is not in %s", old, link)
		}
		link = strings.Replace(link, old, next, 1)
	}
	ts.Check(tab(ts).Go(link))
}

// awaited is the link that comes to stand in a file.
func awaited(ts *testscript.TestScript, file string) string {
	for range 600 {
		if b, err := os.ReadFile(ts.MkAbs(file)); file == "stdout" || file == "stderr" || err == nil && strings.HasSuffix(string(b), "\n") {
			if link := regexp.MustCompile(`https?://\S+`).FindString(ts.ReadFile(file)); link != "" {
				return link
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("no link is in %s: %s", file, ts.ReadFile(file))
	return ""
}

// choose FILE: chooses a file in the page.
func choose(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(tab(ts).Choose("file", ts.MkAbs(args[0])))
}

// click BUTTON: presses a button of the page.
func click(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(tab(ts).Eval(`document.getElementById("`+args[0]+`").click()`, nil))
}

// sees TEXT: a text comes to stand in the page, or in one inside it, or with ! does not stand there now.
func sees(ts *testscript.TestScript, neg bool, args []string) {
	text, err := json.Marshal(args[0])
	ts.Check(err)
	stands := `[document, ...[...document.querySelectorAll("iframe")].map((f) => f.contentDocument)].some((d) => d?.body?.innerText.includes(` + string(text) + `))`
	if !neg {
		ts.Check(tab(ts).Wait(stands))
		return
	}
	there := false
	ts.Check(tab(ts).Eval(stands, &there))
	if there {
		ts.Fatalf("the page says %s", args[0])
	}
}

// gives FILE [block]: what the page gave, or its block, goes into a file; with ! it gave nothing.
func gives(ts *testscript.TestScript, neg bool, args []string) {
	id := "output"
	if len(args) > 1 {
		id = args[1]
	}
	text := ""
	ts.Check(tab(ts).Eval(`document.getElementById("`+id+`").value`, &text))
	if (text == "") != neg {
		ts.Fatalf("the page gives %q", text)
	}
	if !neg {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
	}
}

// saves PATTERN FILE: the browser comes to save a file, which is the same as another
// but for the line's end.
func saves(ts *testscript.TestScript, _ bool, args []string) {
	for range 600 {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(found) == 1 {
			if b, err := os.ReadFile(found[0]); err == nil && string(b) == ts.ReadFile(args[1])+"\n" {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s was not saved as %s", args[1], args[0])
}

// freeport: an origin on this machine at which nothing listens, in $REMINT_VAR_origin.
func freeport(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("REMINT_VAR_origin", "http://localhost:"+strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// post FILE TEXT [NAME=VALUE]…: posts a text to the page whose link is in a file, with
// headers, as another program on the machine can; prints what comes back.
func post(ts *testscript.TestScript, _ bool, args []string) {
	link, err := url.Parse(awaited(ts, args[0]))
	ts.Check(err)
	r, err := http.NewRequest(http.MethodPost, link.Scheme+"://127.0.0.1:"+link.Port()+link.Path+"answer", strings.NewReader(args[1]))
	ts.Check(err)
	r.Host = link.Host
	for _, x := range args[2:] {
		name, value, _ := strings.Cut(x, "=")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = fmt.Fprintln(ts.Stdout(), resp.Status)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), io.LimitReader(resp.Body, 1<<16))
	ts.Check(err)
}
