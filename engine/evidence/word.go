package evidence

// Word is a person's signed word as it stands in a record, not verified.
type Word struct {
	// Name is what she calls herself there.
	Name string `json:"name"`
	// By is what she says that she signed with.
	By Signatory `json:"by"`
}

// wordOf is the signed word that a record carries, nil where it carries none.
func wordOf(r Record) *Word {
	switch r := r.(type) {
	case *Run:
		return r.word()
	case *Step:
		return resolutionWord(r.Resolution)
	case *Reset:
		return resolutionWord(r.Resolution)
	}
	return nil
}

func (r *Run) word() *Word {
	switch {
	case len(r.Approval) > 0:
		return wordIn(anApproval(), r.Approval, func(a Approval) string { return a.Approver })
	case len(r.Override) > 0:
		return wordIn(anOverride(), r.Override, func(o Override) string { return o.Approver })
	case len(r.BreakGlass) > 0:
		return wordIn(aBreakGlass(), r.BreakGlass, func(b BreakGlass) string { return b.Member })
	case len(r.Review) > 0:
		return wordIn(aReview(), r.Review, func(r Review) string { return r.Reviewer })
	}
	return nil
}

func resolutionWord(content []byte) *Word {
	if len(content) == 0 {
		return nil
	}
	return wordIn(aResolution(), content, func(r Resolution) string { return r.Approver })
}

func wordIn[T statement](k kind, content []byte, name func(T) string) *Word {
	said, by, err := parseStatementOf[T](k, content)
	if err != nil {
		return nil // verification says what is wrong with it
	}
	return &Word{Name: name(*said), By: by}
}
