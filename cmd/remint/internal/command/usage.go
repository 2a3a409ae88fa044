package command

import (
	"flag"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// usage is the text of `remint help`.
func usage(version string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "remint %s: credential resets as code\n\n", version)
	b.WriteString("Usage: remint [-chdir=DIR] COMMAND [flags] [arguments]\n\nCommands:\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %-10s %s\n", v.name, v.synopsis)
	}
	b.WriteString(`
Flags may be written with one dash or two, before or after arguments.
` + "`remint COMMAND -help`" + ` tells more about one of them.

Exit codes:
  0  every reset asked for is dead and evidenced, or the query was answered
  1  error                                        (nothing outside changed)
  2  changes are planned                          (-detailed-exitcode only)
  3  a policy denies                              (nothing outside changed)
  4  approval or verification is missing          (nothing outside changed)
  5  the plan is stale, altered or spent          (nothing outside changed)
  6  something changed and is not finished; the output names the next command
`)
	return b.String()
}

// verbUsage is the text of `remint VERB -help`.
func verbUsage(v *verb, fs *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: remint %s", v.name)
	flags := 0
	fs.VisitAll(func(*flag.Flag) { flags++ })
	if flags > 0 {
		b.WriteString(" [flags]")
	}
	if v.args != "" {
		b.WriteString(" " + v.args)
	}
	fmt.Fprintf(&b, "\n\n%s\n", strings.TrimSpace(v.help))
	if flags > 0 {
		b.WriteString("\nFlags:\n")
		fs.VisitAll(func(f *flag.Flag) {
			name, text := flag.UnquoteUsage(f)
			head := "-" + f.Name
			if name != "" {
				head += "=" + name
			}
			if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
				text += " (" + f.DefValue + " unless told)"
			}
			fmt.Fprintf(&b, "  %-24s %s\n", head, text)
		})
	}
	return b.String()
}

// flagHint suggests a flag for one that is not defined.
func flagHint(fs *flag.FlagSet, err error) string {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if s := didYouMean(name, names); s != "" {
		return strings.Replace(s, "mean ", "mean -", 1)
	}
	return ""
}

// didYouMean names the nearest of names, if one is near.
func didYouMean(s string, names []string) string {
	best, distance := "", 4
	for _, n := range names {
		if d := levenshtein.Distance(s, n, nil); d < distance && d < len(n) {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return " Did you mean " + best + "?"
}
