// Package erase finds what kindred holds of persons, in every data set and table, and deletes it. It owns the inventory
// of the places (inventory.go), what of an object is a person's (content.go) and the walk over everything (walk.go).
// Package erased keeps the list of those who were erased, commit reissues a run without them, and erasure deletes
// them from the vector database.
package erase

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/erasure"
)

// Description is the first line of the command's help.
const Description = "Delete all that is held of persons: in the lake, in model versions, in records and in the " +
	"vector database. Put them on the list of erased persons, so that they stay out."

// mostLooks bounds how often everything is looked at again, because somebody wrote meanwhile.
const mostLooks = 10

var (
	// ErrFound means that there is something left of persons who were erased.
	ErrFound = errors.New("erased persons are still there")
	// ErrUnknown means that there are data sets or tables of which this program does not know what they hold.
	ErrUnknown = errors.New("nobody knows what these hold")
)

// Command is the command line.
type Command struct {
	Customers       []string                  `arg:"" optional:"" help:"Ids of the customers. Default: whoever is on the list of erased persons, and whom a customer event told to forget."`
	Session         []string                  `sep:"none" placeholder:"ID" help:"Also erase this session of an anonymous visitor. A customer's own sessions are found automatically. May be repeated."`
	DryRun          bool                      `help:"Print what is held of them, and where. Change nothing."`
	Export          bool                      `help:"Print all that is held of them as one JSON object. Change nothing."`
	Verify          bool                      `help:"Look into everything, and fail if anybody on the list of erased persons is there. Change nothing."`
	Check           string                    `placeholder:"REPORT" help:"Say whether this file is a report as it was signed. Look at nothing else."`
	KeptElsewhere   map[string]time.Duration  `env:"KEPT_ELSEWHERE" default:"events on the stream=24h" placeholder:"WHAT=TIME;…" help:"What keeps data of persons where erase cannot delete it, and for how long. The result says when each of them ends."`
	Lake            envconfig.Lake            `embed:""`
	Artifacts       envconfig.Artifacts       `embed:""`
	Recommendations envconfig.Recommendations `embed:""`
	PGVector        envconfig.PGVector        `embed:""`
	Erasure         envconfig.Erasure         `embed:""`
}

// Result is what a run found, and if it erased, deleted. It names nobody.
type Result struct {
	Persons int       `json:"persons"` // entries of the list
	Looks   int       `json:"looks"`
	Found   []Finding `json:"found"`
	Unknown []string  `json:"unknown,omitempty"` // of which nobody knows what they hold
	DryRun  bool      `json:"dry_run,omitempty"`
	At      time.Time `json:"at"`
	// Elsewhere ends by itself: nobody can delete single rows there.
	Elsewhere []Kept `json:"kept_elsewhere,omitempty"`
	// Signature is an HMAC-SHA256 of this result as JSON without a signature, with ERASE_SECRET.
	Signature string `json:"signature,omitempty"`
}

// Kept is what may keep data of the erased persons for a time.
type Kept struct {
	What  string    `json:"what"`
	Until time.Time `json:"until"`
}

// newResult is the result of a run that begins now.
func (c *Command) newResult() *Result {
	r := &Result{DryRun: c.DryRun || c.Export || c.Verify, At: time.Now().UTC().Truncate(time.Second)}
	for what, long := range c.KeptElsewhere {
		r.Elsewhere = append(r.Elsewhere, Kept{what, r.At.Add(long)})
	}
	slices.SortFunc(r.Elsewhere, func(a, b Kept) int {
		return cmp.Or(a.Until.Compare(b.Until), strings.Compare(a.What, b.What))
	})
	return r
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return len(r.Found) == 0 || r.DryRun }

// Run erases, or looks.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	named := len(c.Customers)+len(c.Session) > 0
	switch modes := []bool{c.DryRun, c.Export, c.Verify, c.Check != ""}; {
	case len(slices.DeleteFunc(modes, func(m bool) bool { return !m })) > 1:
		return fmt.Errorf("%w: --dry-run, --export, --verify and --check exclude each other", program.ErrConfig)
	case c.Export && !named:
		return fmt.Errorf("%w: --export needs the id of a customer, or --session", program.ErrConfig)
	case c.Check != "" && named:
		return fmt.Errorf("%w: --check reads a report: name nobody", program.ErrConfig)
	case c.Verify && named:
		return fmt.Errorf("%w: --verify looks for everybody on the list: name nobody", program.ErrConfig)
	}
	var err error
	if c.Erasure.Secret, err = erased.Secret(ctx, c.Erasure); err != nil {
		return err
	}
	if c.Check != "" {
		return c.check(out)
	}
	j, closeAll, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	if c.DryRun || c.Export || c.Verify {
		return c.only(ctx, j, named, out)
	}
	result, err := c.erase(ctx, j)
	if err != nil {
		return err
	}
	if err := out.Result(result.String(), result); err != nil {
		return err
	}
	return result.fault()
}

// open opens everything that there may be somebody in.
func (c *Command) open(ctx context.Context) (*job, func(), error) {
	j := &job{stores: map[bucket]objectstore.Store{}, clean: map[string]bool{}, sessions: map[string]bool{}}
	for b, setting := range map[bucket][2]string{lake: {"LAKE_BUCKET", c.Lake.Bucket},
		artifacts:       {"ARTIFACTS_BUCKET", c.Artifacts.Bucket},
		recommendations: {"RECOMMENDATIONS_BUCKET", c.Recommendations.Bucket}} {
		store, err := objectstore.OpenSetting(ctx, setting[0], setting[1])
		if err != nil {
			return nil, nil, err
		}
		j.stores[b] = store
	}
	if c.PGVector.DSN == "" {
		return nil, nil, fmt.Errorf("%w: %w", program.ErrConfig, envconfig.NotSetError{Variable: "PGVECTOR_DSN"})
	}
	store, err := vectorstore.OpenAs(ctx, c.PGVector, awsclient.Environment)
	if err != nil {
		return nil, nil, err
	}
	if j.database, err = erasure.Open(ctx, store); err != nil {
		store.Close()
		return nil, nil, err
	}
	return j, func() { j.database.Close(); store.Close() }, nil
}

// only looks, and changes nothing.
func (c *Command) only(ctx context.Context, j *job, named bool, out *program.Output) error {
	list, err := erased.Read(ctx, j.stores[lake], c.Erasure.Secret)
	if err != nil {
		return err
	}
	result := c.newResult()
	result.Persons = list.Len()
	j.theirs, j.newest = list.Row, list.Newest().Add(time.Second)
	if named {
		j.newest = result.At
		j.theirs = func(customer, session string) bool {
			if customer != "" {
				return slices.Contains(c.Customers, customer)
			}
			return session != "" && (slices.Contains(c.Session, session) || j.sessions[session])
		}
		if err := j.look(ctx, false); err != nil { // finds the customers' sessions
			return err
		}
		clear(j.clean)
	}
	j.show = c.Export
	if err := j.look(ctx, false); err != nil {
		return err
	}
	result.Found, result.Unknown, result.Looks = j.found, j.unknown, 1
	if c.Export {
		data, err := json.MarshalIndent(result, "", "  ")
		if err != nil {
			return err
		}
		return out.Result(string(data), result)
	}
	if err := out.Result(result.String(), result); err != nil || !c.Verify {
		return err
	}
	if len(result.Found) > 0 {
		return fmt.Errorf("%w: in %d places; `erase` without a name deletes them", ErrFound, len(result.Found))
	}
	return result.fault()
}

// erase puts them on the list, and deletes until nothing is found. Killed at any point, it is finished by the next run,
// named or not: whoever is on the list is erased.
func (c *Command) erase(ctx context.Context, j *job) (*Result, error) {
	forgotten, err := j.forgotten(ctx)
	if err != nil {
		return nil, err
	}
	customers, sessions := append(slices.Clone(c.Customers), forgotten...), slices.Clone(c.Session)
	result := c.newResult()
	var list *erased.List
	for erasing := false; ; erasing = true {
		var added int
		if list, added, err = erased.Add(ctx, j.stores[lake], c.Erasure.Secret, customers, sessions); err != nil {
			return nil, err
		}
		if added > 0 {
			clear(j.clean) // there may be rows of a new one in what was clean
		}
		if list.Len() == 0 { // nobody was ever erased, and nobody is to be
			break
		}
		j.theirs, j.newest = list.Row, list.Newest().Add(time.Second)
		if err := j.look(ctx, erasing); err != nil {
			return nil, err
		}
		result.Looks++
		if erasing {
			result.Found = append(result.Found, j.found...)
		}
		if len(j.found) == 0 {
			break
		}
		if result.Looks == mostLooks {
			return nil, fmt.Errorf("%w after %d looks: somebody writes them again and again, in %s", ErrFound, mostLooks,
				j.found[0].Where)
		}
		sessions = slices.Sorted(maps.Keys(j.sessions))
	}
	result.Persons, result.Unknown = list.Len(), j.unknown
	return result, c.keep(ctx, j, list, result)
}

// keep signs the result, and keeps it in the lake.
func (c *Command) keep(ctx context.Context, j *job, list *erased.List, result *Result) error {
	data, err := json.Marshal(result)
	if err != nil {
		return err
	}
	result.Signature = list.Sign(data)
	if len(result.Found) == 0 {
		return nil
	}
	if data, err = json.MarshalIndent(result, "", "  "); err != nil {
		return err
	}
	key := envconfig.ErasedPrefix + "report-" + time.Now().UTC().Format("20060102T150405.000000000Z") + ".json"
	if _, err := j.stores[lake].Put(ctx, key, bytes.NewReader(data), int64(len(data)),
		objectstore.Condition{IfNoneMatch: true}); err != nil {
		return fmt.Errorf("keep the report: %w", err)
	}
	return nil
}

// fault is not nil if there is something of which nobody knows what it holds.
func (r *Result) fault() error {
	if len(r.Unknown) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnknown, strings.Join(r.Unknown[:min(len(r.Unknown), 10)], ", "))
}

// String is the result for people.
func (r *Result) String() string {
	counts, objects := map[string]int64{}, map[string]int{}
	for _, f := range r.Found {
		place := f.Place
		if f.Kept {
			place += " (versions that S3 keeps)"
		}
		counts[place] += f.Rows
		objects[place]++
	}
	var b strings.Builder
	verb := "Deleted"
	if r.DryRun {
		verb = "Found"
	}
	if len(r.Found) == 0 {
		fmt.Fprintf(&b, "Nothing of them is held.\n")
	}
	for _, place := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %6d rows in %4d objects or tables: %s\n", verb, counts[place], objects[place], place)
	}
	fmt.Fprintf(&b, "%d customers and sessions are on the list of erased persons.\n", r.Persons)
	for _, k := range r.Elsewhere {
		fmt.Fprintf(&b, "Kept elsewhere until %s at the latest: %s\n", k.Until.Format("2006-01-02 15:04 MST"), k.What)
	}
	b.WriteString("Products' vectors keep what was learned until the next training. Run erase again after a restore, " +
		"and each night.")
	return b.String()
}
