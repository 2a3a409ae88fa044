package main

// switchSource is the file that a package with mutants in it gets. What it
// declares is written nowhere else.
const switchSource = `package PACKAGE

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantActive, mutantNone = strconv.Atoi(os.Getenv("REMINT_MUTANT"))
	mutantTrace              = os.Getenv("REMINT_MUTANT_TRACE")
	mutantSeen               sync.Map
)

// mutantOn says whether mutant n is the one; what would make no difference does
// not ask.
func mutantOn(n int) bool {
	if mutantTrace != "" {
		if _, seen := mutantSeen.LoadOrStore(n, true); !seen {
			f, err := os.OpenFile(mutantTrace, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
			if err != nil {
				panic(err)
			}
			if _, err := f.WriteString(strconv.Itoa(n) + "\n"); err != nil {
				panic(err)
			}
			f.Close()
		}
	}
	return mutantNone == nil && n == mutantActive
}

func mutantZero[T any](n int, v T) T {
	if mutantOn(n) {
		var zero T
		return zero
	}
	return v
}

type mutantNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutantNegative[T mutantNumber](n int, v T) T {
	if mutantOn(n) {
		return -v
	}
	return v
}

func mutantOne[T mutantNumber](n int, v T) T {
	if mutantOn(n) {
		return 1
	}
	return v
}
`
