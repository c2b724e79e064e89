// Package command is the command line of the program release. It only connects the parts.
package command

import (
	"context"
	"crypto"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/program"
	"kindred/internal/release/archive"
	"kindred/internal/release/provenance"
)

// Description is the first line of the program's help.
const Description = "Build what ships, and check it."

// Command is the program's grammar.
type Command struct {
	Audit  auditCommand  `cmd:"" help:"Look for secrets in all commits, and for known vulnerabilities in Go modules and in LocalStack's Python packages."`
	Build  buildCommand  `cmd:"" help:"Build the archives of a release, their SBOMs, the script that installs one, their provenance and checksums. The same commit gives the same bytes."`
	Verify verifyCommand `cmd:"" help:"Compare a release with its checksums and its provenance, and check the signature. The exit code is 1 if something differs."`
}

type buildCommand struct {
	Tag        string   `placeholder:"VERSION" help:"The release's version, such as v1.2.0. Default: the commit's tag."`
	To         string   `type:"path" required:"" placeholder:"FOLDER" help:"Where to write the release: a new or an empty folder."`
	Platforms  []string `placeholder:"OS/ARCH,…" help:"For which platforms. Default: linux and darwin, each on amd64 and arm64."`
	Repository string   `placeholder:"URL" help:"Address of the repository, for the provenance. It has no user and no password."`
	Key        string   `type:"path" placeholder:"FILE" help:"Private key that signs the provenance: Ed25519 or ECDSA P-256, PKCS #8 in PEM. Without it the release is not signed."`
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
	release := archive.Release{Version: version, Platforms: platforms, Repository: c.Repository}
	if u, err := url.Parse(c.Repository); c.Repository != "" && (err != nil || u.Host == "" || u.User != nil) {
		return fmt.Errorf("%w: --repository: a URL with a host, and without a user and a password", program.ErrConfig)
	}
	if c.Key != "" {
		if release.Key, err = provenance.PrivateKey(c.Key); err != nil {
			return fmt.Errorf("%w: --key: %w", program.ErrConfig, err)
		}
	}
	files, err := archive.Build(ctx, dir, c.To, release)
	if err != nil {
		return err
	}
	return out.Result(strings.TrimSuffix(string(files[archive.SumsFile]), "\n"),
		map[string]any{"version": version, "folder": c.To})
}

type verifyCommand struct {
	Folder string `arg:"" type:"path" help:"The folder of the release."`
	Key    string `type:"path" placeholder:"FILE" help:"Public key of who signs releases, PKIX in PEM. Without it, only damage is found, not an attack."`
}

// Run verifies the release.
func (c *verifyCommand) Run(out *program.Output) error {
	var key crypto.PublicKey
	if c.Key != "" {
		var err error
		if key, err = provenance.PublicKey(c.Key); err != nil {
			return fmt.Errorf("%w: --key: %w", program.ErrConfig, err)
		}
	}
	v, err := archive.Verify(c.Folder, key)
	if err != nil {
		return err
	}
	sentence := fmt.Sprintf("%d files are as their checksums and their provenance say: %s of commit %s, built with Go "+
		"%s. ", v.Files, v.Version, v.Commit, v.Go)
	if v.Signed {
		sentence += "The provenance is signed with this key."
	} else {
		sentence += "The signature was not checked: name the public key with --key."
	}
	return out.Result(sentence, v)
}
