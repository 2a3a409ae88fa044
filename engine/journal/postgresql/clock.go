package postgresql

import "time"

// instant is a moment by all clocks of this machine that tell how long ago it was.
// Go's own stands still while a machine is suspended, and the wall's may be set
// back; boot is of a clock that does neither, where there is one.
type instant struct {
	at   time.Time
	boot time.Duration
}

func now() instant { return instant{time.Now(), sinceBoot()} }

// since is how much time has passed, by the clock that saw most of it pass.
func (i instant) since(earlier instant) time.Duration {
	return max(i.at.Sub(earlier.at), i.at.Round(0).Sub(earlier.at.Round(0)), i.boot-earlier.boot)
}
