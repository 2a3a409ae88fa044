//go:build !linux

package postgresql

import "time"

// sinceBoot is not told here: the wall's clock has to do.
func sinceBoot() time.Duration { return 0 }
