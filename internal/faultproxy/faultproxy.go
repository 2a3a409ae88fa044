// Package faultproxy puts a network that fails between a program and a server:
// toxiproxy, with a toxic of its own that knows moments. A moment is the n-th
// piece of data in one direction that contains a text; PostgreSQL's messages are
// small and come in one piece each over the loop-back.
package faultproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Way is what becomes of a piece of data, and of its connection.
type Way int

// The ways.
const (
	Pass     Way = iota // it arrives
	Cut                 // it does not, and the connection is closed
	CutAfter            // it arrives, and then the connection is closed
	Half                // half of it arrives, and then the connection is closed
	Hole                // it does not, nor does anything else, on any connection, until Heal
)

// The directions.
const (
	Request = "upstream"   // from the program to the server
	Reply   = "downstream" // from the server to the program
)

// Moment is the N-th piece of data, counted from 1, in a direction that
// contains Text.
type Moment struct {
	Direction, Text string
	N               int
}

// String names it.
func (m Moment) String() string {
	return m.Direction + " " + strconv.Quote(m.Text) + "#" + strconv.Itoa(m.N)
}

// Toxic is one of toxiproxy's own, with its attributes.
type Toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float32        `json:"toxicity"`
	Attributes map[string]any `json:"attributes"`
}

// Reset makes every close of a proxy's connections a TCP reset.
var Reset = []Toxic{{Type: "reset_peer", Stream: Request}, {Type: "reset_peer", Stream: Reply}}

// TB is the part of testing.TB that New needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Proxy is one address behind which a server is.
type Proxy struct {
	proxy *toxiproxy.Proxy

	mu    sync.Mutex
	watch []Moment
	at    Moment
	do    func() Way
	seen  map[Moment]int
	reach bool
	hole  bool
}

// New starts a proxy in front of upstream, a host:port, that ends with its test.
func New(t TB, upstream string, with ...Toxic) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{proxy: toxiproxy.NewProxy(server, "fault", "127.0.0.1:0", upstream), seen: map[Moment]int{}}
	id := register(p)
	for _, d := range []string{Request, Reply} {
		with = append(with, Toxic{Type: "moment", Stream: d, Toxicity: 1, Attributes: map[string]any{"id": id, "direction": d}})
	}
	for _, x := range with {
		b, err := json.Marshal(x)
		if err == nil {
			_, err = p.proxy.Toxics.AddToxicJson(bytes.NewReader(b))
		}
		if err != nil {
			t.Fatalf("toxic %s: %v", x.Type, err)
		}
	}
	if err := p.proxy.Start(); err != nil {
		t.Fatalf("start a proxy: %v", err)
	}
	t.Cleanup(p.proxy.Stop)
	return p
}

// Address is where the program is to connect, as host:port.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Count counts moments of these directions and texts, whatever their N.
func (p *Proxy) Count(moments ...Moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = moments
}

// Counted lists the moments that were counted, each occurrence of them.
func (p *Proxy) Counted() []Moment {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Moment
	for _, m := range p.watch {
		for n := range p.seen[Moment{m.Direction, m.Text, 0}] {
			out = append(out, Moment{m.Direction, m.Text, n + 1})
		}
	}
	return out
}

// At calls do once, at a moment; what it returns becomes of that data.
func (p *Proxy) At(m Moment, do func() Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.do, p.watch = m, do, []Moment{m}
}

// Reached reports whether the moment of At came.
func (p *Proxy) Reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reach
}

// Heal makes the network whole: what was stopped starts, a hole is closed.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	p.hole = false
	p.mu.Unlock()
	if err := p.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted { //nolint:errorlint // it is that very value
		return err
	}
	return nil
}

// Stop closes all connections and refuses new ones, until Heal.
func (p *Proxy) Stop() { p.proxy.Stop() }

// Point closes all connections and leads to another server from now on.
func (p *Proxy) Point(upstream string) error {
	return p.proxy.Update(&toxiproxy.Proxy{Listen: p.proxy.Listen, Upstream: upstream, Enabled: true})
}

// pass decides over one piece of data.
func (p *Proxy) pass(direction string, data []byte) Way {
	p.mu.Lock()
	if p.hole {
		p.mu.Unlock()
		return Hole
	}
	var do func() Way
	for _, m := range p.watch {
		if m.Direction != direction || !bytes.Contains(data, []byte(m.Text)) {
			continue
		}
		m.N = 0
		p.seen[m]++
		m.N = p.seen[m]
		if p.do != nil && m == p.at {
			do, p.do, p.reach = p.do, nil, true
		}
	}
	p.mu.Unlock()
	if do == nil {
		return Pass
	}
	way := do()
	if way == Hole {
		p.mu.Lock()
		p.hole = true
		p.mu.Unlock()
	}
	return way
}

// moment is the toxic. toxiproxy makes toxics of JSON, so it names its proxy.
type moment struct {
	ID        int64  `json:"id"`
	Direction string `json:"direction"`
}

var (
	proxies sync.Map
	last    atomic.Int64
)

func init() { toxics.Register("moment", &moment{}) }

func register(p *Proxy) int64 {
	id := last.Add(1)
	proxies.Store(id, p)
	return id
}

// Pipe passes data on until its moment comes.
func (m *moment) Pipe(stub *toxics.ToxicStub) {
	found, _ := proxies.Load(m.ID)
	p, ok := found.(*Proxy)
	if !ok {
		panic(fmt.Sprintf("no proxy %d", m.ID))
	}
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			way := p.pass(m.Direction, c.Data)
			switch way {
			case Cut, Hole:
				c = nil
			case Half:
				c = &stream.StreamChunk{Data: c.Data[:len(c.Data)/2], Timestamp: c.Timestamp}
			case Pass, CutAfter:
			}
			if c != nil {
				stub.Output <- c
			}
			if way == Cut || way == CutAfter || way == Half {
				stub.Close()
				go drain(stub) // what comes meanwhile goes nowhere
				return
			}
		}
	}
}

func drain(stub *toxics.ToxicStub) {
	for c := range stub.Input {
		if c == nil {
			return
		}
	}
}
