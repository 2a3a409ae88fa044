package engine

import (
	"fmt"

	"github.com/remint-dev/remint/engine/addrs"
)

// approvalName is the name that an approval is exported under.
func approvalName(i int, name string) string {
	return documentName("approval", i, name)
}

// documentName is likewise for a kept document of any kind.
func documentName(kind string, i int, name string) string {
	c := addrs.Credential{Type: kind, Name: fmt.Sprint(i + 1), Key: name, HasKey: true}
	return kind + "s/" + c.FileName() + ".json"
}
