package browsertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Page is one tab.
type Page struct {
	browser *Browser
	session string
	key     string
}

// Open opens a tab that has shown nothing yet.
func (b *Browser) Open() (*Page, error) {
	var target struct {
		ID string `json:"targetId"`
	}
	if err := b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var attached struct {
		Session string `json:"sessionId"`
	}
	if err := b.call("", "Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{browser: b, session: attached.Session}
	return p, errors.Join(p.call("Page.enable", nil, nil), p.call("WebAuthn.enable", map[string]any{"enableUI": false}, nil))
}

func (p *Page) call(method string, params, result any) error {
	return p.browser.call(p.session, method, params, result)
}

// Key is a security key in software.
type Key struct {
	// Verifies is whether it can ask for a PIN; Refuses, whether who it asks fails.
	Verifies, Refuses bool
	// Untouched is whether nobody touches it.
	Untouched bool
	// Lax is whether it signs that it asked for none, whatever the browser wants. Only
	// for Change.
	Lax bool
}

// Plug plugs a new key in, in place of the one that is there.
func (p *Page) Plug(k Key) error {
	if p.key != "" {
		if err := p.call("WebAuthn.removeVirtualAuthenticator", map[string]any{"authenticatorId": p.key}, nil); err != nil {
			return err
		}
	}
	var added struct {
		ID string `json:"authenticatorId"`
	}
	err := p.call("WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "usb", "hasResidentKey": false,
		"hasUserVerification": k.Verifies, "isUserVerified": k.Verifies && !k.Refuses, "automaticPresenceSimulation": !k.Untouched,
	}}, &added)
	p.key = added.ID
	return err
}

// Change has the key that is there behave as k, from now on. Whether it can ask for
// a PIN stays as it was.
func (p *Page) Change(k Key) error {
	return errors.Join(
		p.call("WebAuthn.setUserVerified", map[string]any{"authenticatorId": p.key, "isUserVerified": !k.Refuses}, nil),
		p.call("WebAuthn.setResponseOverrideBits", map[string]any{"authenticatorId": p.key, "isBadUV": k.Lax}, nil),
		p.call("WebAuthn.setAutomaticPresenceSimulation", map[string]any{"authenticatorId": p.key, "enabled": !k.Untouched}, nil))
}

// Choose has a person choose a file.
func (p *Page) Choose(id, file string) error {
	var got struct {
		Result struct {
			ID string `json:"objectId"`
		} `json:"result"`
	}
	if err := p.call("Runtime.evaluate", map[string]any{"expression": fmt.Sprintf("document.getElementById(%q)", id)}, &got); err != nil {
		return err
	}
	return p.call("DOM.setFileInputFiles", map[string]any{"files": []string{file}, "objectId": got.Result.ID}, nil)
}

// Go shows a page, from its beginning.
func (p *Page) Go(url string) error {
	// A change of nothing but the fragment would load nothing.
	if err := p.navigate("about:blank"); err != nil {
		return err
	}
	return p.navigate(url)
}

func (p *Page) navigate(url string) error {
	var to struct {
		Error string `json:"errorText"`
	}
	if err := p.call("Page.navigate", map[string]any{"url": url}, &to); err != nil {
		return err
	}
	if to.Error != "" {
		return fmt.Errorf("%s: %s", url, to.Error)
	}
	return p.Wait(`document.readyState === "complete"`)
}

// Eval runs an expression in the page, as if by a gesture of a person, and puts
// what comes of it into out.
func (p *Page) Eval(expression string, out any) error {
	var got struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &got); err != nil {
		return err
	}
	if got.Exception != nil {
		return fmt.Errorf("%s: %s", expression, got.Exception.Exception.Description)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got.Result.Value, out)
}

// Wait waits until an expression is true.
func (p *Page) Wait(expression string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var is bool
		// While one page gives way to the next there may be none to ask.
		if err := p.Eval("!!("+expression+")", &is); err == nil && is {
			return nil
		}
	}
	text := ""
	_ = p.Eval("document.body.innerText", &text)
	return fmt.Errorf("it never came to be that %s; the page says:\n%s", expression, text)
}
