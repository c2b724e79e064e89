// Retrieve measures how fast and how well the vector database answers: searches and similar
// products, alone and in batches, by exact scan and by HNSW index, and from which number of
// products on the index is faster. It works in a database of its own, which it drops.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/benchmarks/results"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

func main() {
	os.Exit(program.Main("bench-retrieve", "Measure how fast the vector database answers.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}

type command struct {
	envconfig.PGVector
	Sizes    []int         `default:"3000,41000,300000" help:"Numbers of products at which throughput is measured. 0 skips this part."`
	Cross    []int         `default:"1000,1500,2000,3000,4000,8000" help:"Numbers of products at which scan and index are compared, to find where the index becomes faster. 0 skips this part."`
	Near     []int         `default:"2000,41000" help:"Numbers of products at which a search with neighbours is compared with a plain one. 0 skips this part."`
	Dim      int           `default:"64" help:"Components of a vector."`
	Batch    int           `default:"100" help:"Searches in a batch."`
	Duration time.Duration `default:"3s" help:"How long each measurement runs."`
	State    string        `default:".kindred" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. results.json is written to its folder bench/retrieve."`

	measured struct {
		Latency   []latency `json:"latency"`
		Crossover int       `json:"crossover_items"`
		Near      []near    `json:"near"`
		Rates     []rates   `json:"rates"`
	}
}

// latency is how long one search takes, alone.
type latency struct {
	Items int     `json:"items"`
	Scan  float64 `json:"scan_ms"`
	HNSW  float64 `json:"hnsw_ms"`
}

// near is how long a search takes that adds neighbours to the scores, beside a plain one.
type near struct {
	Items    int     `json:"items"`
	Search   string  `json:"search"` // scan or hnsw
	Added    float64 `json:"added"`  // products that something is added to, on average
	PlainP50 float64 `json:"plain_p50_ms"`
	PlainP95 float64 `json:"plain_p95_ms"`
	NearP50  float64 `json:"near_p50_ms"`
	NearP95  float64 `json:"near_p95_ms"`
}

// rates are searches a second.
type rates struct {
	Items   int     `json:"items"`
	Search  string  `json:"search"` // scan or hnsw
	Clients int     `json:"clients"`
	Conns   int     `json:"connections"`
	Single  float64 `json:"single"`
	Batched float64 `json:"batched"`
	Recall  float64 `json:"recall"`
}

// Run measures and prints.
func (c *command) Run(ctx context.Context, out *program.Output) (err error) {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set", program.ErrConfig)
	}
	dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
	if err != nil {
		return err
	}
	defer func() {
		if e := drop(); err == nil {
			err = e
		}
	}()
	if err := c.crossover(ctx, dsn, out.Stdout); err != nil {
		return err
	}
	if err := c.neighbours(ctx, dsn, out.Stdout); err != nil {
		return err
	}
	printf(out.Stdout, "\nqueries/s: a customer's ten best, without 25 products that were rated or seen; batches of %d; "+
		"recall@10 against the scan\n", c.Batch)
	printf(out.Stdout, "%9s %-6s %7s %9s %9s %9s %8s %8s\n", "items", "search", "clients", "conns", "single", "batched",
		"ratio", "recall")
	for _, n := range c.Sizes {
		if n == 0 {
			break
		}
		if err := c.throughput(ctx, dsn, n, out.Stdout); err != nil {
			return fmt.Errorf("measure %d items: %w", n, err)
		}
	}
	return results.Write(c.State, "retrieve", c.measured)
}

// crossover finds the number of products from which on the index answers sooner than a scan, one
// search at a time.
func (c *command) crossover(ctx context.Context, dsn string, out io.Writer) error {
	found := 0
	printf(out, "%9s %10s %10s   one search at a time, the fastest tenth\n", "items", "scan ms", "HNSW ms")
	for _, n := range c.Cross {
		if n == 0 {
			return nil
		}
		s, err := newSubject(ctx, dsn, n, c.Dim, 1, false)
		if err != nil {
			return err
		}
		times := map[string]time.Duration{}
		for _, way := range []string{scan, hnsw} {
			if err := s.use(ctx, way, 1); err != nil {
				return err
			}
			if times[way], err = s.latency(ctx); err != nil {
				return err
			}
		}
		one := latency{n, ms(times[scan]), ms(times[hnsw])}
		c.measured.Latency = append(c.measured.Latency, one)
		printf(out, "%9d %10.3f %10.3f\n", n, one.Scan, one.HNSW)
		if times[hnsw] > times[scan] {
			found = 0
		} else if found == 0 {
			found = n
		}
		s.close()
	}
	c.measured.Crossover = found
	printf(out, "crossover: %d items; the code scans below %d\n", found, vectorstore.ExactBelow)
	return nil
}

// neighbours compares searches that add the neighbours of a customer and of a session's products with the
// same ones that do not, in turn.
func (c *command) neighbours(ctx context.Context, dsn string, out io.Writer) error {
	printf(out, "\nneighbours: 100 of each product and customer, five products in the session; ms of one search at a "+
		"time\n")
	printf(out, "%9s %-6s %7s %9s %9s %9s %9s %10s %10s\n", "items", "search", "added", "plain p50",
		"plain p95", "near p50", "near p95", "ratio p50", "ratio p95")
	for _, n := range c.Near {
		if n == 0 {
			return nil
		}
		s, err := newSubject(ctx, dsn, n, c.Dim, 1, true)
		if err != nil {
			return err
		}
		for _, way := range []string{scan, hnsw} {
			if err := s.use(ctx, way, 1); err != nil {
				return err
			}
			m, err := s.compareNear(ctx)
			if err != nil {
				return err
			}
			m.Items, m.Search = n, way
			c.measured.Near = append(c.measured.Near, m)
			printf(out, "%9d %-6s %7.0f %9.3f %9.3f %9.3f %9.3f %10.2f %10.2f\n", n, way, m.Added, m.PlainP50,
				m.PlainP95, m.NearP50, m.NearP95, m.NearP50/m.PlainP50, m.NearP95/m.PlainP95)
		}
		s.close()
	}
	return nil
}

func (c *command) throughput(ctx context.Context, dsn string, n int, out io.Writer) error {
	s, err := newSubject(ctx, dsn, n, c.Dim, 8, false)
	if err != nil {
		return err
	}
	defer s.close()
	var right [][]recommend.Candidate
	for _, way := range []string{scan, hnsw} {
		for _, load := range []struct{ clients, conns int }{{1, 1}, {1, 2}, {8, 8}} {
			if err := s.use(ctx, way, load.conns); err != nil {
				return err
			}
			single, batched, err := s.rates(ctx, load.clients, c.Batch, c.Duration)
			if err != nil {
				return err
			}
			got, _, err := s.store.Retrieve(ctx, s.model, s.searches, nil)
			if err != nil {
				return err
			}
			if right == nil {
				right = got
			}
			r := rates{n, way, load.clients, load.conns, single, batched, recall(right, got)}
			c.measured.Rates = append(c.measured.Rates, r)
			printf(out, "%9d %-6s %7d %9d %9.0f %9.0f %8.2f %8.3f\n", n, way, load.clients, load.conns, single, batched,
				batched/single, r.Recall)
		}
	}
	return nil
}

const (
	scan = "scan"
	hnsw = "HNSW"
	// efSearch is for sizes at which the code builds no index, and so measured no width.
	efSearch = 100
	queries  = 500
)

// subject is a loaded version that can be searched both ways.
type subject struct {
	dsn      string
	version  *modelversion.Version
	efSearch int
	searches []recommend.Search
	near     []recommend.Search // the same with neighbours; nil: the version has none
	store    *vectorstore.Store
	model    *recommend.Model
}

func newSubject(ctx context.Context, dsn string, items, dim, conns int, neighbours bool) (*subject, error) {
	s := &subject{dsn: dsn, efSearch: efSearch}
	id := fmt.Sprintf("m%015d", items)
	if neighbours {
		id = fmt.Sprintf("m1%014d", items)
	}
	s.version = vectorstoretest.Version(id, 1,
		vectorstoretest.Shape{Items: items, Customers: queries, RatedEach: 20, Dim: dim})
	for i, c := range s.version.Customers {
		search := recommend.Search{Vector: c.Vector, Customer: &c.ID, Limit: 10}
		for n := range 5 {
			search.Exclude = append(search.Exclude, s.version.Items[(i*7+n)%items].Code)
		}
		s.searches = append(s.searches, search)
	}
	if neighbours {
		recommendtest.AddNeighbours(s.version, 1, 100)
		s.addNear()
	}
	store, err := open(ctx, dsn, conns)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return nil, err
	}
	if _, err := store.Load(ctx, s.version); err != nil {
		return nil, err
	}
	versions, err := store.Versions(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		switch {
		case v.ID != s.version.ID:
		case v.EFSearch != nil:
			s.efSearch = *v.EFSearch
		default:
			return s, exec(ctx, dsn, `CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_ip_ops)`,
				`ANALYZE model_`+v.ID+`.item`)
		}
	}
	return s, nil
}

// use makes the version live for scans or for the index, with so many connections.
func (s *subject) use(ctx context.Context, way string, conns int) (err error) {
	ef := "NULL"
	if way == hnsw {
		ef = fmt.Sprint(s.efSearch)
	}
	if err := exec(ctx, s.dsn, `UPDATE kindred.model_version SET ef_search = `+ef+` WHERE version = '`+s.version.ID+
		`'`); err != nil {
		return err
	}
	s.close()
	if s.store, err = open(ctx, s.dsn, conns); err != nil {
		return err
	}
	if err := s.store.Promote(ctx, s.version.ID, vectorstore.PromoteOptions{Actor: "bench"}); err != nil {
		return err
	}
	traffic, err := s.store.Traffic(ctx)
	if err != nil {
		return err
	}
	s.model = traffic.Live
	_, _, err = s.store.Retrieve(ctx, s.model, s.searches[:100], nil) // connects, plans, fills the cache
	return err
}

func (s *subject) close() {
	if s.store != nil {
		s.store.Close()
	}
}

func open(ctx context.Context, dsn string, conns int) (*vectorstore.Store, error) {
	return vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn + separator(dsn) + fmt.Sprintf("pool_max_conns=%d", conns)})
}

func exec(ctx context.Context, dsn string, statements ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
