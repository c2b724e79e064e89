// Package command is the command line of the program release. It only connects the parts.
package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/program"
	"kindred/internal/release/archive"
)

// Description is the first line of the program's help.
const Description = "Build what ships, and check it."

// Command is the program's grammar.
type Command struct {
	Audit auditCommand `cmd:"" help:"Look for secrets in all commits, and for known vulnerabilities in Go modules and in LocalStack's Python packages."`
	Build buildCommand `cmd:"" help:"Build the archives of a release, their SBOMs, the script that installs one, and checksums. The same commit gives the same bytes."`
}

type buildCommand struct {
	Tag       string   `placeholder:"VERSION" help:"The release's version, such as v1.2.0. Default: the commit's tag."`
	To        string   `type:"path" required:"" placeholder:"FOLDER" help:"Where to write the release: a new or an empty folder."`
	Platforms []string `placeholder:"OS/ARCH,…" help:"For which platforms. Default: linux and darwin, each on amd64 and arm64."`
}

// Run builds the release.
func (c *buildCommand) Run(ctx context.Context, out *program.Output) error {
	dir, err := artifact.FindRepository()
	if err != nil {
		return err
	}
	platforms := c.Platforms
	if len(platforms) == 0 {
		platforms = archive.Platforms
	}
	for _, p := range platforms {
		if !slices.Contains(archive.Platforms, p) {
			return fmt.Errorf("%w: --platforms %s: a release is for %s", program.ErrConfig, p,
				strings.Join(archive.Platforms, ", "))
		}
	}
	version, err := archive.Version(ctx, dir, c.Tag)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	files, err := archive.Build(ctx, dir, c.To, version, platforms)
	if err != nil {
		return err
	}
	return out.Result(strings.TrimSuffix(string(files[archive.SumsFile]), "\n"),
		map[string]any{"version": version, "folder": c.To})
}
