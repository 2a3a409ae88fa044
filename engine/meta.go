package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"

	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/policy"
)

// meta is what a run keeps besides its plan: what resume and export need when
// the files it came from are gone.
type meta struct {
	Approvals  []gate.Document   `json:"approvals,omitempty"`
	Refused    map[string]string `json:"refused,omitempty"`
	Facts      map[string]string `json:"facts,omitempty"`
	Unattended bool              `json:"unattended,omitempty"`
	// Policies are the sources' files, by source and path.
	Policies map[string]map[string]string `json:"policies"`
}

func (s *session) meta(req ApplyRequest, answer gate.Answer, refused map[string]string) (json.RawMessage, error) {
	m := meta{Refused: refused, Facts: req.Facts, Unattended: req.Unattended, Policies: map[string]map[string]string{}}
	for _, a := range answer.Approvals {
		m.Approvals = append(m.Approvals, a.Document)
	}
	for _, src := range s.sources {
		files, err := sourceFiles(src)
		if err != nil {
			return nil, err
		}
		m.Policies[src.Name] = files
	}
	return json.Marshal(m)
}

// maxPolicyFile bounds what is kept of one policy file; the compiler has
// refused larger ones already.
const maxPolicyFile = 4 << 20

func sourceFiles(src policy.Source) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(src.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := src.FS.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxPolicyFile))
		files[path] = string(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("policy source %s cannot be read", src.Name)
	}
	return files, nil
}

func decodeMeta(raw json.RawMessage) (meta, error) {
	var m meta
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("what the run kept besides its plan is damaged")
	}
	return m, nil
}
