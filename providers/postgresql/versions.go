package postgresql

import (
	"encoding/base64"

	"github.com/remint-dev/remint/engine/provider"
)

// unlisted reports whether there may be a password of which versions tells
// nothing: pg_authid may not be read, and the mark, which does not see what
// others did, names none. Then nothing can be concluded from an empty list.
func (f facts) unlisted() bool {
	none := f.canRead && f.stored == ""
	return len(f.versions()) == 0 && !none
}

// versions names the password that the role has: none where it has none, and
// where the login cannot tell one from the next.
func (f facts) versions() []provider.Version {
	mark, marked := parseMark(f.mark)
	marked = marked && mark.version != ""
	id := ""
	switch {
	case f.canRead && f.stored == "":
		return nil
	case f.canRead && f.salt != "":
		if salt, err := base64.StdEncoding.DecodeString(f.salt); err == nil {
			id = versionOf(salt)
		}
	case f.canRead && f.stored == "md5":
		id = legacyMD5
	case f.canRead:
		id = legacyOther
	case marked && mark.version == noPassword:
		return nil
	case marked:
		id = mark.version
	}
	if id == "" {
		return nil
	}
	v := provider.Version{ID: id}
	if mark.version == id {
		v.Label = mark.label
	}
	return []provider.Version{v}
}
