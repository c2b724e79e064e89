package envconfig

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
)

const (
	// goShare is how much of a function's memory Go's heap may take before it is collected as often as it
	// must. The rest is for what Go does not count: Lambda ends a process that takes more than it has.
	goShare = 0.75
	// largestShare of the memory may be taken by versions. What is left below goShare is for answers and
	// their garbage: without it, Go would collect all the time.
	largestShare = goShare * 4 / 5
)

// Memory says whether the live version's products are kept in the memory of what answers.
type Memory struct {
	// Artifacts is where the files of model versions are. Empty: the vector database answers everything.
	Artifacts string `name:"artifacts" env:"ARTIFACTS_BUCKET" envDefault:"" placeholder:"BUCKET" help:"The store of model versions: a bucket, s3://bucket/prefix or file:///folder. The products of the live version and the canary are loaded from there into memory. Default: the vector database answers everything."`
	// Share is of the memory that the process has: the versions in memory may take so much of it.
	Share float64 `name:"memory-share" env:"MEMORY_SHARE" envDefault:"0.5" default:"0.5" placeholder:"SHARE" help:"Share of the process's memory, from 0 to 0.6, for the products of the live version and the canary. With 0 the vector database answers everything. The process's memory is that of the Lambda function, else GOMEMLIMIT, else the container's limit, else 2 GiB."`
}

// Check refuses a share that leaves nothing for the answers.
func (m Memory) Check() error {
	if !(m.Share >= 0 && m.Share <= largestShare) { // NaN too
		return fmt.Errorf("MEMORY_SHARE is %g, want 0 to %g: the rest of the memory is for answers", m.Share, largestShare)
	}
	return nil
}

// FunctionMemory is how many bytes of memory Lambda gives this process; 0: it is not a function.
func FunctionMemory(getenv func(string) string) int64 {
	mib, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err != nil || mib <= 0 {
		return 0
	}
	return mib << 20
}

// LimitMemory sets the memory limit of the Go runtime in a function, unless GOMEMLIMIT has set one. It
// does nothing elsewhere.
func LimitMemory(getenv func(string) string) {
	if memory := FunctionMemory(getenv); memory > 0 && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(int64(goShare * float64(memory)))
	}
}
