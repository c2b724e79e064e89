package program

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Set by the linker: by the Makefile and by package artifact. Programs that are built otherwise have
// the stamp of Go's own.
var (
	linkedRelease string // of a release, such as v1.2.0; else ""
	linkedCommit  string
	linkedDate    string // RFC 3339
	linkedChanges string // "true": with changes that were not committed
)

// build is what this program was built from.
type build struct {
	Release string // such as v1.2.0; "" of a build that is no release
	Commit  string // "" outside version control
	Date    string // of the commit, RFC 3339
	Changed bool   // with changes that were not committed
	Go      string
}

func readBuild() build {
	b := build{Release: linkedRelease, Commit: linkedCommit,
		Date: linkedDate, Changed: linkedChanges == "true", Go: runtime.Version()}
	if b.Commit != "" {
		return b
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Date = cmp.Or(b.Date, s.Value)
		case "vcs.modified":
			b.Changed = s.Value == "true"
		}
	}
	return b
}

// version is the commit in 12 digits, such as 5ebc8580a1b2, or 5ebc8580a1b2+changes, or "unknown".
func (b build) version() string {
	if b.Commit == "" {
		return "unknown"
	}
	v := b.Commit[:min(12, len(b.Commit))]
	if b.Changed {
		v += "+changes"
	}
	return v
}

// sentence answers --version.
func (b build) sentence(name string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s ", name)
	switch {
	case b.Release != "":
		fmt.Fprintf(&s, "%s (%s)", b.Release, b.version())
	case b.Commit == "":
		s.WriteString("of an unknown commit")
	default:
		s.WriteString(b.version())
	}
	if at, err := time.Parse(time.RFC3339, b.Date); err == nil {
		fmt.Fprintf(&s, ", committed %s UTC", at.UTC().Format("2006-01-02 15:04"))
	}
	fmt.Fprintf(&s, ", built with %s for %s/%s", b.Go, runtime.GOOS, runtime.GOARCH)
	return s.String()
}
