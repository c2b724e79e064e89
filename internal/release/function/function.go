// Package function builds the zip of a Lambda function as it ships: the program, its licence texts and its
// SBOM. It does not own how a program is compiled (internal/platform/artifact).
package function

import (
	"context"
	"fmt"
	"maps"

	"kindred/internal/platform/artifact"
	"kindred/internal/release/inventory"
)

// Zip returns the zip of ./lambdas/<name> of the module in dir, for this platform, with more files beside the
// program. subject is the zip's name in its SBOM. A licence that must not ship is inventory.ErrLicence. The
// same sources give the same bytes.
func Zip(ctx context.Context, dir, subject, name, goos, goarch string, more map[string][]byte) ([]byte, error) {
	target := artifact.Target{Program: "./lambdas/" + name, OS: goos, Arch: goarch}
	program, err := target.Compile(ctx, dir)
	if err != nil {
		return nil, err
	}
	files, err := inventory.Documents(ctx, dir,
		inventory.Subject{Name: subject, Files: map[string][]byte{"bootstrap": program}}, target)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, more)
	data, err := artifact.Pack(program, files)
	if err != nil {
		return nil, fmt.Errorf("zip function %s: %w", name, err)
	}
	return data, nil
}
