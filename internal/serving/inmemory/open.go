package inmemory

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/s3object"
	"kindred/internal/serving/vectorstore"
)

// Open makes a store as the environment says; nil: versions are not to come into memory.
func Open(db *vectorstore.Store, e awsenv.Environment, cfg envconfig.Memory, log *slog.Logger) (*Store, error) {
	if !(cfg.Share >= 0 && cfg.Share <= 0.9) { // something must be left for the answers
		return nil, fmt.Errorf("MEMORY_SHARE is %g, want 0 to 0.9", cfg.Share)
	}
	if cfg.Share == 0 || cfg.Artifacts == "" {
		return nil, nil
	}
	bucket, err := s3object.New(e, cfg.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("open ARTIFACTS_BUCKET: %w", err)
	}
	memory := available(os.Getenv, debug.SetMemoryLimit(-1), "/sys/fs/cgroup/memory.max")
	return New(db, bucket, int64(cfg.Share*float64(memory)), log), nil
}

// assumed is the memory of a process for which nothing sets a limit.
const assumed = 2 << 30

// available is the memory of the process in bytes: what Lambda says, else the limit of the Go runtime,
// else that of the container.
func available(getenv func(string) string, limit int64, cgroup string) int64 {
	if mib, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32); err == nil && mib > 0 {
		return mib << 20
	}
	if limit < math.MaxInt64 {
		return limit
	}
	if text, err := os.ReadFile(cgroup); err == nil {
		if bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bytes > 0 {
			return bytes
		}
	}
	return assumed
}
