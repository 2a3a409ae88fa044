package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"
)

const canary = "canary-5f2e1c"

// A parent whose field is unexported is where methods on a plain struct leak.
type parent struct {
	hidden Value
	Shown  Value
	m      Material
	list   []Value
	byName map[string]Material
	any    any
}

func TestNothingShowsTheSecret(t *testing.T) {
	v := FromString(canary)
	m := Single(v).With("private_key", v)
	p := parent{v, v, m, []Value{v}, map[string]Material{"x": m}, v}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, v, &v, p, &p)
		fmt.Fprintf(&out, verb, m)
	}
	for _, x := range []any{v, &v, p, m, map[string]any{"a": v}} {
		b, err := json.Marshal(x)
		out.Write(b)
		fmt.Fprint(&out, err)
		b, err = xml.Marshal(x)
		out.Write(b)
		fmt.Fprint(&out, err)
		_ = gob.NewEncoder(&out).Encode(x)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", x)
		_ = template.Must(template.New("").Parse("{{.}}{{printf \"%v\" .}}")).Execute(&out, x)
	}
	func() {
		defer func() { fmt.Fprint(&out, recover()) }()
		panic(p)
	}()
	hexed := fmt.Sprintf("%x", canary)
	for _, form := range []string{canary, hexed, strings.ToUpper(hexed), "Y2FuYXJ5"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows as %q", form)
		}
	}
}

func TestValueKeepsItsOwnCopy(t *testing.T) {
	b := []byte(canary)
	v := New(b)
	clear(b)
	got := v.Reveal()
	clear(got)
	if v.RevealString() != canary {
		t.Error("the bytes are shared with the outside")
	}
}

func TestEqual(t *testing.T) {
	a, b := FromString("x"), FromString("y")
	if !a.Equal(FromString("x")) || a.Equal(b) || a.Equal(Value{}) || !(Value{}).Equal(Value{}) || FromString("").Equal(Value{}) {
		t.Error("Equal is wrong")
	}
}

func TestMaterialRoundTrip(t *testing.T) {
	m := NewMaterial(map[string]Value{"certificate": FromString("c"), "private_key": New([]byte{0, 255, 10})})
	got, err := Decode(m.Encode())
	if err != nil || !got.Field("private_key").Equal(m.Field("private_key")) || len(got.Names()) != 2 {
		t.Errorf("got %v, %v", got.Names(), err)
	}
	if _, err := Decode([]byte(`{"value":"` + canary)); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("damaged material gives %v", err)
	}
}
