package train

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
)

// ErrMemory says that a training would not fit into memory.
var ErrMemory = errors.New("not enough memory")

const (
	// ratingBytes is what an interaction takes besides the 16 bytes of the solver: the ratings as read,
	// their splits, the lists of the baselines, and garbage until the next collection (230, measured
	// with `make bench-train ARGS="grow --whole"`), and the copy in canonical order.
	ratingBytes = 260
	// rowBytes is what a customer or product takes besides its vectors: names, features, and 200
	// neighbours of 8 bytes.
	rowBytes = 2000
	// neighbourBytes is what a neighbour takes. A customer's list is there twice while a version is put
	// together, and a product's for each rarity while they are compared.
	neighbourBytes, nearCopies = 8, 2
	// fits is how often a training fits a model, in addition to tuning: for the report, for the
	// served version, without the products of the cold-start test, and without the ratings that are
	// newer than the version before.
	fits = 4
)

// Estimate is what a training takes at most, known before it starts.
type Estimate struct {
	Bytes int64 `json:"bytes"`
	// Seconds of a nominal machine with 20 Gflop/s; without vector units several times as many.
	Seconds float64 `json:"seconds"`
	near    int64   // the part of Bytes that neighbours take, whatever the dimension
}

// estimate prices a training at its largest dimension.
func (c Config) estimate(m *ials.Matrix, ratings, threads int) Estimate {
	dim := c.largestDim()
	operations := c.TuneBudget*nominalRate + fitsCost(m, dim, c.Epochs)
	if c.Lukewarm == LukewarmAuto {
		operations += c.TuneBudget*nominalRate + fitsCost(m, dim, c.Epochs)/2
	}
	e := Estimate{Bytes: memory(m.Rows, m.Cols, ratings, dim, threads)}
	if c.Parts == PartsAuto {
		search := nearSearch{matrix: m, solver: ials.Config{Dim: dim}}
		if more := search.cost(min(mostCases, m.Rows)); more < operations {
			operations += more
		}
		e.near = nearMemory(m.Rows, m.Cols)
		e.Bytes += e.near
	}
	e.Seconds = operations / nominalRate
	return e
}

// estimateRows is estimate where only the numbers of rows are known: whoever did what, it is not more.
func (c Config) estimateRows(customers, products, interactions, threads int) Estimate {
	dim := c.largestDim()
	e := Estimate{Bytes: memory(customers, products, interactions, dim, threads),
		Seconds: c.TuneBudget + fits*float64(c.Epochs)*mostEpochCost(customers, products, interactions, dim)/nominalRate}
	if c.Lukewarm == LukewarmAuto { // the same, for half of the fits
		e.Seconds += (c.TuneBudget + e.Seconds) / 2
	}
	if c.Parts == PartsAuto { // neighbours that would take longer than the rest are not tried
		e.near = nearMemory(customers, products)
		e.Bytes, e.Seconds = e.Bytes+e.near, 2*e.Seconds
	}
	return e
}

// nearMemory is what neighbours take.
func nearMemory(customers, products int) int64 {
	return neighbourBytes * (nearCopies*int64(customers)*modelversion.CustomerNeighbours +
		int64(len(nearRarities))*int64(products)*nearMost)
}

func (c Config) largestDim() int {
	if c.Dim > 0 {
		return c.Dim
	}
	return largestDim
}

func memory(customers, products, ratings, dim, threads int) int64 {
	return ials.Memory(customers, products, ratings, dim, threads) + int64(ratings)*ratingBytes +
		int64(customers+products)*(rowBytes+4*int64(dim))
}

// fit is ErrMemory when the estimate is above what is available; 0 available means that nobody knows.
func (e Estimate) fit(available int64, customers, products, ratings, dim, threads int) error {
	if available <= 0 || e.Bytes <= available {
		return nil
	}
	smaller := memory(customers, products, ratings, smallestDim, threads) + e.near
	return fmt.Errorf("train %d ratings of %d customers and %d products: dimension %d needs up to %.1f MB (dimension "+
		"%d: %.1f MB) and %.1f MB are free: %w",
		ratings, customers, products, dim, float64(e.Bytes)/1e6, smallestDim, float64(smaller)/1e6,
		float64(available)/1e6, ErrMemory)
}

// AvailableMemory is how many bytes this process may still take: the least of what the machine and
// its control group have left; 0 where the system does not say.
func AvailableMemory() int64 {
	var free int64
	if file, err := os.Open("/proc/meminfo"); err == nil {
		defer func() { _ = file.Close() }() // only read
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
				kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
				free = kib * 1024
			}
		}
	}
	limit, used := readNumber("/sys/fs/cgroup/memory.max"), readNumber("/sys/fs/cgroup/memory.current")
	if limit > 0 && used > 0 && (free == 0 || limit-used < free) {
		free = max(limit-used, 1)
	}
	return free
}

func readNumber(name string) int64 {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64) // "max" is no limit
	return n
}
