package planner

import "github.com/remint-dev/remint/engine/policy"

// Before are the twins of in by the trust base's values, for policies to judge beside
// it; none when nothing differs. Each reset stands in as many of them as the base has
// credentials that it is held against, at their addresses, so that a rule about an
// address holds whatever the workspace calls the credential. Those that do not differ
// stand beside them, as rules may look at several together, but for one whose address
// is taken.
func Before(in *policy.Input, resets []*Reset) []*policy.Input {
	var out []*policy.Input
	shown := make([]int, len(resets)) // how many of each one's there were
	for {
		taken, standing := map[string]bool{}, map[int]*policy.Reset{}
		for i, r := range resets {
			if shown[i] < len(r.Before) && !taken[r.Before[shown[i]].Address] {
				standing[i] = r.Before[shown[i]]
				taken[standing[i].Address] = true
				shown[i]++
			}
		}
		if len(standing) == 0 {
			return out
		}
		out = append(out, twin(in, standing, taken))
	}
}

// twin is in with some resets as the base has them.
func twin(in *policy.Input, standing map[int]*policy.Reset, taken map[string]bool) *policy.Input {
	out := *in
	out.Resets, out.StandsFor = make([]policy.Reset, 0, len(in.Resets)), map[string]string{}
	for i, x := range in.Resets {
		switch s := standing[i]; {
		case s != nil:
			if s.Address != x.Address {
				out.StandsFor[s.Address] = x.Address
			}
			there := *s
			there.Result = x.Result
			out.Resets = append(out.Resets, there)
		case !taken[x.Address]:
			out.Resets = append(out.Resets, x)
		}
	}
	return &out
}
