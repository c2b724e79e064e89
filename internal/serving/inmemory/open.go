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
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Share == 0 || cfg.Artifacts == "" {
		return nil, nil
	}
	memory := available(os.Getenv, debug.SetMemoryLimit(-1), "/sys/fs/cgroup/memory.max")
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
	if memory := envconfig.FunctionMemory(getenv); memory > 0 {
		return memory
	}
	if limit < math.MaxInt64 {
		return limit
	}
	if text, err := os.ReadFile(cgroup); err == nil { //nolint:gosec // a constant
		if bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bytes > 0 {
			return bytes
		}
	}
	return assumed
}
