package sample

import "testing"

func TestMax(t *testing.T) {
	if n, err := Max([]int{1, 3, 2}); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := Max(nil); err != errEmpty {
		t.Fatal(err)
	}
}

func TestWait(t *testing.T) {
	if n := Wait(2); n != 2 {
		t.Fatal(n)
	}
}

func TestKind(*testing.T) {
	Kind(true, false, "x") // and does not look
}
