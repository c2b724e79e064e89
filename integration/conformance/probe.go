package conformance

import (
	"context"
	"runtime"

	"kindred/internal/platform/artifact"
)

// BuildProbe compiles the function that the rows call, for the operating system goos, and returns
// its zip. repository is the module's folder.
func BuildProbe(ctx context.Context, repository, goos string) ([]byte, error) {
	bootstrap, err := artifact.Compile(ctx, repository, "./integration/conformance/probe", goos, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return artifact.Pack(bootstrap, nil)
}
