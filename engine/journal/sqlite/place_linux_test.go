package sqlite

import "testing"

// A folder of the kernel's cannot be synced, and that is an error.
func TestAFolderOfTheKernels(t *testing.T) {
	if err := syncFolder("/proc/self"); err == nil {
		t.Error("one of the kernel's was synced")
	}
}
