// Package conformance states the behaviour of AWS that kindred depends on, one Behaviour a row, and
// finds out whether an endpoint behaves so: an emulator, or AWS itself. It owns the rows, the table
// that docs/parity.md holds and the guard of the run on AWS. Starting emulators belongs to the
// program parity; how kindred treats a behaviour is tested next to its code.
//
// A row makes resources of its own and deletes them. What it saw becomes the cell, so a cell holds
// no time, name or number that another run would not give.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"
)

// Behaviour is one row: a rule of AWS, and how to see whether an endpoint keeps it.
type Behaviour struct {
	ID     string // service/name; the service is the row's section
	Rule   string // what AWS documents
	Source string // page of docs.aws.amazon.com that says so
	// kindred's test that holds the rule where an emulator does not, "folder TestName" or
	// "folder/file.tftest.hcl run"; or noTest and why
	Covered string
	// waits, or costs more than it tells `go test ./integration`, which leaves it out to end within a
	// minute
	Slow bool

	check func(ctx context.Context, p *place)
}

// Behaviours are all rows, in the order of the table.
func Behaviours() []Behaviour {
	return slices.Concat(streamRows(), mappingRows(), deliveryRows(), functionRows(), objectRows(), otherRows())
}

// noTest begins Covered where kindred has no test and needs none.
const noTest = "none: "

// Cells that are not made of what was seen.
const (
	AsDocumented = "as AWS documents"
	NotRun       = "not run"
	needsDocker  = "not run: needs Docker"
	noAnswer     = "no answer"
)

// Target is what the rows are looked for on.
type Target struct {
	Config  aws.Config
	Probe   []byte            // zip of the function that BuildProbe makes
	Tags    map[string]string // of every resource
	OnAWS   bool              // AWS itself: names and roles take time to be known everywhere, and buffers to fill
	Workers int               // rows at the same time; defaults to 8
}

// rowTime bounds a row on an emulator. The longest waits for the age limit of a mapping, 60 s, and
// what follows it.
const rowTime = 150 * time.Second

// Run looks for the behaviours on the target and returns a cell for each ID. The error is for what
// makes cells worthless: the endpoint is gone, or resources stay on AWS. Progress is told to log, a
// line a row.
func Run(ctx context.Context, t Target, rows []Behaviour, log io.Writer) (map[string]string, error) {
	if t.Workers == 0 {
		t.Workers = 8
	}
	c := newClients(t)
	cells := make(map[string]string, len(rows))
	var left []error
	var mu sync.Mutex
	run := func(b Behaviour) {
		began := time.Now()
		cell, err := look(ctx, c, b, log)
		mu.Lock()
		defer mu.Unlock()
		cells[b.ID] = cell
		fmt.Fprintf(log, "%-28s %5.1f s  %s\n", b.ID, time.Since(began).Seconds(), cell)
		if err != nil {
			left = append(left, fmt.Errorf("clean up after %s: %w", b.ID, err))
		}
	}
	var group errgroup.Group
	group.SetLimit(t.Workers)
	// The long rows first, so that nothing waits for them at the end.
	for _, b := range slices.SortedStableFunc(slices.Values(rows), func(a, b Behaviour) int { return rank(a) - rank(b) }) {
		group.Go(func() error {
			run(b)
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	// an emulator under load may leave a call without an answer: alone, each such row is looked at
	// again
	for _, b := range rows {
		if strings.HasSuffix(cells[b.ID], noAnswer) {
			run(b)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look for %d behaviours: %w", len(rows), err)
	}
	var gone error
	alive, err := poll(ctx, time.Minute, func() bool {
		_, gone = c.s3.ListBuckets(ctx, nil)
		return gone == nil
	})
	if !alive {
		return nil, fmt.Errorf("the endpoint does not answer any more: %w", errors.Join(gone, err))
	}
	if t.OnAWS {
		return cells, errors.Join(left...)
	}
	for _, err := range left {
		fmt.Fprintln(log, err)
	}
	return cells, nil
}

func rank(b Behaviour) int {
	switch {
	case b.Slow:
		return 0
	case strings.HasPrefix(b.ID, "mapping/"):
		return 1
	default:
		return 2
	}
}

// look runs one row in a place of its own and makes its cell. The error is what could not be deleted.
func look(ctx context.Context, c *clients, b Behaviour, log io.Writer) (cell string, left error) {
	limit := rowTime
	if c.target.OnAWS {
		limit *= 4
	}
	p := newPlace(c)
	defer func() { left = p.clear(ctx) }()
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	return cellOf(trial(ctx, p, b, log)), nil
}

// trial turns the panics of must, check and differs into what they carry.
func trial(ctx context.Context, p *place, b Behaviour, log io.Writer) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case stopped:
			err = v.err
		case runtime.Error: // an answer without a field that AWS always gives: a program would break as well
			fmt.Fprintf(log, "%s: %v\n%s", b.ID, v, debug.Stack())
			err = &difference{"an answer lacks what AWS's has"}
		default:
			panic(v)
		}
	}()
	b.check(ctx, p)
	return nil
}

// stopped ends a row. Rows are scripts of dozens of calls of which each may be the one that an
// emulator does not know, so they say must and check where other code returns errors; trial is the
// only one to recover.
type stopped struct{ err error }

// must is the value of a call that AWS would answer.
func must[T any](v T, err error) T {
	check(err)
	return v
}

// check ends the row when a call fails that AWS would answer.
func check(err error) {
	if err != nil {
		panic(stopped{err})
	}
}

// difference is what was seen instead of the rule.
type difference struct{ seen string }

func (d *difference) Error() string { return d.seen }

// differs ends the row: the endpoint does otherwise.
func differs(format string, args ...any) {
	panic(stopped{&difference{fmt.Sprintf(format, args...)}})
}

// refused ends the row unless err is an API error with one of the codes. what says what the
// endpoint did if there was none.
func refused(err error, what string, codes ...string) {
	if err == nil {
		differs("%s", what)
	}
	if code := codeOf(err); !slices.Contains(codes, code) {
		if code == "" {
			check(err)
		}
		differs("refused with %s, not %s", code, codes[0])
	}
}

// codeOf is the API error's code, else the HTTP status as text, else "".
func codeOf(err error) string {
	var api smithy.APIError
	var response *awshttp.ResponseError
	switch {
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError":
		return api.ErrorCode()
	case errors.As(err, &response) && response.HTTPStatusCode() != 0:
		return fmt.Sprint(response.HTTPStatusCode())
	default:
		return ""
	}
}

// answered says whether the call failed although the endpoint answered with a status of success.
func answered(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return false
	}
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() >= 200 && response.HTTPStatusCode() < 300
}

var docker = regexp.MustCompile(`(?i)\bdocker`)

// cellOf says what a row's error means.
func cellOf(err error) string {
	var seen *difference
	var operation *smithy.OperationError
	switch {
	case err == nil:
		return AsDocumented
	case docker.MatchString(err.Error()):
		return needsDocker
	case errors.As(err, &seen):
		return "differs: " + seen.seen
	case errors.As(err, &operation):
		code := codeOf(err)
		var response *awshttp.ResponseError
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.As(err, &response) && response.HTTPStatusCode() == 0:
			code = noAnswer
		case code == "":
			code = "an answer that the SDK does not understand"
		}
		if answered(err) { // with a status of success
			return fmt.Sprintf("not supported: %s %s answers %s with a body that the SDK cannot read", operation.ServiceID,
				operation.OperationName, code)
		}
		return fmt.Sprintf("not supported: %s %s gives %s", operation.ServiceID, operation.OperationName, code)
	case errors.Is(err, context.DeadlineExceeded):
		return "differs: not done in time"
	default:
		return "not supported: " + err.Error()
	}
}
