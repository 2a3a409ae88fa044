// Package sample is mutated by the tests of the tool.
package sample

import "errors"

var errEmpty = errors.New("empty")

// Max is tested well.
func Max(list []int) (int, error) {
	if len(list) == 0 {
		return 0, errEmpty
	}
	most := list[0]
	for _, n := range list {
		if n > most {
			most = n
		}
	}
	return most, nil
}

// Wait ends only with its condition.
func Wait(n int) (steps int) {
	for {
		if n <= steps {
			break
		}
		steps++
	}
	return steps
}

// Kind is tested badly.
func Kind(a, b bool, name string) string {
	switch name {
	case "x":
		name += "!"
		name += "?"
	}
	switch {
	case a && !b:
		return "a " + name
	}
	return name
}

// Never is not tested.
func Never(list []string, f func() (int, error)) (n int, err error) {
	defer func() { n++ }()
	for i := 0; i < len(list); i++ {
		select {
		default:
			go f()
			n -= i * 2
		}
	}
	if n, err = f(); err != nil {
		return n, err
	}
	return f()
}
