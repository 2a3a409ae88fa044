package evidence

import (
	"errors"
	"io/fs"
	"slices"
)

// Participants names all who took part in a run, as its own records tell, not
// verified: who asked for it, wrote its change, ran it or resumed it, approved it, and
// broke the glass.
// Nobody where there is no evidence of the run here.
func Participants(dir, run string) ([]string, error) {
	var out []string
	for e, err := range showFile(dir, run, RunFile) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if r, ok := e.Record.(*Run); ok {
			out = append(out, r.participants()...)
		}
	}
	return out, nil
}

func (r *Run) participants() []string {
	out := slices.Concat([]string{r.Operator, r.Requester}, r.OperatorNames, r.Authors)
	if v := r.Verification; v != nil {
		out = append(out, v.Identity)
		for _, m := range v.Methods {
			if m.Address == "" {
				out = append(out, m.Identity)
			}
		}
	}
	if w := r.word(); w != nil && len(r.Review) == 0 {
		out = append(out, w.Name, w.By.Identity.Name)
	}
	return out
}
