// Package command tells a consumer about a new secret by running a program.
package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// Consumer declares the consumer `command`.
func Consumer() provider.ConsumerDefinition {
	return provider.ConsumerDefinition{
		Name: "command",
		Description: "Runs a program that makes a service read its stores again, and returns when it has exited with 0. " +
			"There is no shell, no input, and no environment but what the block sets; the secret is not handed over. " +
			"The program may run more than once for one reset. Its output is counted, not kept: it could carry the secret. " +
			"What it starts in the background must not hold on to its output.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "command", Type: provider.StringList, Required: true, Check: checkCommand,
				Description: "The program, as an absolute path, and its arguments, each as it is: nothing is split or expanded."},
			{Name: "env", Type: provider.StringMap, Check: checkEnv,
				Description: "The whole environment of the program, empty unless set: programs that look others up need a PATH."},
			{Name: "directory", Type: provider.PathType,
				Description: "The folder it runs in, `/` unless set. A relative path starts at the workspace."},
			{Name: "timeout", Type: provider.Duration, Default: 60 * time.Second, Min: int64(time.Second), Max: int64(24 * time.Hour),
				Description: "How long it may take. After that, or when the run is cancelled, it is killed together with everything it started in its process group."},
		}},
		Open: open,
	}
}

func open(_ context.Context, b provider.Block) (provider.Consumer, error) {
	c := &consumer{
		command: b.Attrs.Strings("command"),
		env:     []string{}, // never nil: exec would hand over remint's own
		dir:     "/",
		timeout: b.Attrs.Duration("timeout"),
	}
	if err := checkCommand(c.command); err != nil {
		return nil, provider.Errorf(provider.Permanent, "command %s", err)
	}
	if err := checkEnv(b.Attrs.Map("env")); err != nil {
		return nil, provider.Errorf(provider.Permanent, "env %s", err)
	}
	for k, v := range b.Attrs.Map("env") {
		c.env = append(c.env, k+"="+v)
	}
	slices.Sort(c.env)
	if b.Attrs.Has("directory") {
		if c.dir = b.Attrs.Path("directory").Absolute; c.dir == "" {
			return nil, provider.Errorf(provider.Permanent, "directory was not resolved against the workspace")
		}
	}
	return c, nil
}

func checkCommand(v any) error {
	list, _ := v.([]string)
	if len(list) == 0 || !filepath.IsAbs(list[0]) {
		return errors.New(`must begin with the absolute path of a program, as in ["/usr/bin/systemctl", "reload", "billing"]`)
	}
	for _, s := range list {
		if strings.ContainsRune(s, 0) {
			return errors.New("must not contain a NUL character")
		}
	}
	return nil
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkEnv(v any) error {
	env, _ := v.(map[string]string)
	for k, v := range env {
		if !variable.MatchString(k) {
			return fmt.Errorf("must have names of letters, digits and underscores, unlike %s", addrs.Quote(k))
		}
		if strings.ContainsRune(v, 0) {
			return errors.New("must not contain a NUL character")
		}
	}
	return nil
}
