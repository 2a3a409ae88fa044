package engine

import (
	"fmt"

	"github.com/remint-dev/remint/engine/addrs"
)

// approvalName is the name that an approval is exported under.
func approvalName(i int, name string) string {
	c := addrs.Credential{Type: "approval", Name: fmt.Sprint(i + 1), Key: name, HasKey: true}
	return "approvals/" + c.FileName() + ".json"
}
