package policies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
)

// Catalogue is a published list of controls, and how far remint goes with each.
type Catalogue struct {
	// Framework and a control's id are the name by which rules call it.
	Framework string `json:"framework"`
	Title     string `json:"title"`
	// Source is where it is published; Edition which one it is, and what the
	// identifiers were compared with; Scope how much of it stands here.
	Source   string    `json:"source"`
	Edition  string    `json:"edition"`
	Scope    string    `json:"scope"`
	Controls []Control `json:"controls"`
}

// Control is one of a catalogue's. Which rules serve it, the rules say.
type Control struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Also is what it was called in editions before.
	Also []string `json:"also"`
	// Program is what remint does for it whatever its policies say.
	Program string `json:"program"`
	// NotCovered is what of it no rule judges, and why.
	NotCovered string `json:"not_covered"`
}

// Name is what rules call a control of the catalogue.
func (c Catalogue) Name(one Control) string { return c.Framework + " " + one.ID }

// Catalogues are the files of catalogues/, in the order of their names. An
// error is a defect of this folder.
func Catalogues() ([]Catalogue, error) {
	names, err := fs.Glob(FS, "catalogues/*.json")
	if err != nil {
		return nil, err
	}
	out := make([]Catalogue, len(names))
	for i, name := range names {
		raw, err := fs.ReadFile(FS, name)
		if err != nil {
			return nil, err
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&out[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}
