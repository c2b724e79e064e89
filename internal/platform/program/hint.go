package program

import (
	"errors"
	"os"
	"path/filepath"

	"kindred/internal/platform/envconfig"
)

// hint says which command of a developer's machine helps against an error. It is empty where no
// command does, and on AWS, where those commands do not exist. Adapters return the errors only.
func hint(err error, onLocalStack bool) string {
	var notSet envconfig.NotSetError
	switch {
	case errors.As(err, &notSet) && (onLocalStack || builtByMake()):
		return "`make local-up` starts a local stack, whose variables it writes to .kindred/env."
	case missing(err) && onLocalStack:
		return "The local stack keeps buckets, streams and functions in memory only: after each " +
			"`make local-up`, `make deploy` makes them."
	}
	return ""
}

// missing says whether err is about a bucket, stream or function that does not exist: an adapter's
// error or the AWS SDK's.
func missing(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.Is(err, envconfig.ErrAbsent) ||
		errors.As(err, &api) && (api.ErrorCode() == "NoSuchBucket" || api.ErrorCode() == "ResourceNotFoundException")
}

// builtByMake reports whether this program lies where `make build` puts programs.
func builtByMake() bool {
	path, err := os.Executable()
	return err == nil && filepath.Base(filepath.Dir(path)) == "bin" &&
		filepath.Base(filepath.Dir(filepath.Dir(path))) == ".kindred"
}
