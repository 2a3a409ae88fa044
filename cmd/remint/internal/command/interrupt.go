package command

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals sets up the two contexts of a verb. The first SIGINT or SIGTERM ends
// soft: nothing new is begun. The second ends hard: calls in flight are cut
// off, and what became of them is found out by resume. A third one kills, as it
// would any program.
func (a *app) signals() (stop func()) {
	soft, endSoft := context.WithCancel(context.Background())
	hard, endHard := context.WithCancel(context.Background())
	a.soft, a.hard = soft, hard
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-ch:
			}
			switch n {
			case 1:
				a.view.Note("Interrupted: finishing the steps in flight. Interrupt again to cut them off; `remint resume` goes on later.")
				endSoft()
			case 2:
				endSoft()
				endHard()
				signal.Stop(ch)
				return
			}
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
		endSoft()
		endHard()
	}
}
