package inmemory

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/s3object"
	"kindred/internal/serving/vectorstore"
)

// Open makes a store as the environment says; nil: versions are not to come into memory, or the
// environment has no credentials for their files, which is logged.
func Open(db *vectorstore.Store, cfg envconfig.Memory, log *slog.Logger) (*Store, error) {
	if !(cfg.Share >= 0 && cfg.Share <= 0.9) { // something must be left for the answers
		return nil, fmt.Errorf("MEMORY_SHARE is %g, want 0 to 0.9", cfg.Share)
	}
	if cfg.Share == 0 || cfg.Artifacts == "" {
		return nil, nil
	}
	limit := debug.SetMemoryLimit(-1)
	memory := available(os.Getenv, limit, "/sys/fs/cgroup/memory.max")
	if limit == math.MaxInt64 && os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") != "" {
		debug.SetMemoryLimit(memory / 10 * 8) // Lambda ends a process that takes more than it has
	}
	budget := int64(cfg.Share * float64(memory))
	if name, ok := strings.CutPrefix(cfg.Artifacts, "file://"); ok {
		return New(db, folder(name), budget, log), nil
	}
	aws, err := awsenv.Load(os.Getenv)
	if err != nil {
		log.Info("the vector database answers, not the memory", logkey.Error, err.Error())
		return nil, nil
	}
	bucket, err := s3object.New(aws, cfg.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("open ARTIFACTS_BUCKET: %w", err)
	}
	return New(db, bucket, budget, log), nil
}

// folder has the files of model versions, for a server on the machine that trained them.
type folder string

// ReadRange reads a part of a file.
func (f folder) ReadRange(_ context.Context, key string, from, n int64) (data []byte, err error) {
	file, err := os.Open(filepath.Join(string(f), filepath.FromSlash(key)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was read only
	return io.ReadAll(io.NewSectionReader(file, from, n))
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
