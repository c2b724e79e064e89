package vectorstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
)

// model is a version in memory. It is shared between callers and never changes.
type model struct {
	recommend.Model
	schema   string    // of its tables
	form     form      // as the tables
	until    bool      // rated says when a product comes back
	near     *nearRows // nil: the version has no neighbours
	items    int       // how many products it has
	state    said      // what is beside the versions
	repeat   bool      // item says what becomes of a product that was bought
	together bool      // it knows what is bought together
	// newItems says that products which the version does not know get vectors
	newItems bool
	// efSearch is how many candidates a search of the HNSW index keeps; 0: every search is an exact scan.
	efSearch int
}

// Traffic returns the versions that the pointer shows now. It reads the pointer on each call, one
// tiny query, and a version's solver and encoder the first time. A batch calls it once and uses the
// same models throughout. Errors: ErrNoLiveVersion.
func (s *Store) Traffic(ctx context.Context) (recommend.Traffic, error) {
	return readTraffic(ctx, s.pool, s.current, s.placements())
}

// Pinned is the traffic in which one version answers everybody: there is neither canary nor experiment. Errors:
// those of Traffic, and ErrUnknownVersion.
func (s *Store) Pinned(ctx context.Context, version string) (recommend.Traffic, error) {
	var p traffic
	if err := p.scan(s.pool.QueryRow(ctx, trafficSQL)); err != nil {
		return recommend.Traffic{}, err
	}
	p.version, p.canary, p.placementsExperiment = &version, nil, ""
	if err := s.pool.QueryRow(ctx, `SELECT `+hasNewItems(`$1::text`), version).Scan(&p.state.newItems); err != nil {
		return recommend.Traffic{}, fmt.Errorf("look for new products of version %s: %w", version, err)
	}
	return p.models(ctx, s.current, s.placements())
}

// current is the version with what is known of the state now.
func (s *Store) current(ctx context.Context, version string, state said) (*model, error) {
	if m, err := s.model(ctx, version); err != nil || m.state == state {
		return m, err
	}
	s.unknow(version)
	return s.model(ctx, version)
}

// modelReader reads a version, and learns whether there is state.
type modelReader func(ctx context.Context, version string, state said) (*model, error)

// readTraffic reads the pointer from db, the versions by read and the placements by placed.
func readTraffic(ctx context.Context, db querier, read modelReader,
	placed placementsReader) (recommend.Traffic, error) {
	var p traffic
	if err := p.scan(db.QueryRow(ctx, trafficSQL)); err != nil {
		return recommend.Traffic{}, err
	}
	return p.models(ctx, read, placed)
}

// traffic is the pointer.
type traffic struct {
	version, canary *string
	share           float64
	state           said // newItems: of the live version
	canaryNewItems  bool
	experiment      string // its name; "": none runs
	placements      string // their version; "": none
	// placementsExperiment is the name of the experiment that compares placements; "": none runs
	placementsExperiment string
}

var trafficSQL = `SELECT version, canary, coalesce(canary_share, 0), ` + stateful + `, ` + hasNewItems(`version`) + `, ` +
	hasNewItems(`canary`) + `, ` + experimentName + `, ` + placementsVersion + `, ` + placementsExperiment + ` FROM kindred.live`

func (p *traffic) scan(row pgx.Row) error {
	err := row.Scan(&p.version, &p.canary, &p.share, &p.state.products, &p.state.interactions, &p.state.customers,
		&p.state.visits, &p.state.trends, &p.state.newItems, &p.canaryNewItems, &p.experiment, &p.placements,
		&p.placementsExperiment)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return trafficFault(err)
}

// trafficFault names what is special about an error of reading the pointer.
func trafficFault(err error) error {
	switch {
	case undefined(err):
		return fmt.Errorf("read live version: %w: %w", ErrNoLiveVersion, ErrNotMigrated)
	case err != nil:
		return fmt.Errorf("read live version: %w", err)
	}
	return nil
}

func (p *traffic) models(ctx context.Context, read modelReader,
	placed placementsReader) (found recommend.Traffic, err error) {
	if p.version == nil {
		return found, fmt.Errorf("read live version: %w", ErrNoLiveVersion)
	}
	m, err := read(ctx, *p.version, p.state)
	if err != nil {
		return found, err
	}
	found.Live = &m.Model
	if found.Placements, err = placed.version(ctx, p.placements); err != nil {
		return found, err
	}
	if p.placementsExperiment != "" {
		if found.Experiment, err = placed.experiment(ctx, p.placementsExperiment); err != nil {
			return found, err
		}
	}
	if p.canary != nil {
		found.Canary, found.Share = &recommend.Model{Version: *p.canary}, p.share
		if p.experiment != "" {
			found.Experiment = &recommend.Experiment{Name: p.experiment, Share: p.share}
		}
		state := p.state
		state.newItems = p.canaryNewItems
		if m, found.CanaryFault = read(ctx, *p.canary, state); m != nil {
			found.Canary = &m.Model
		}
	}
	return found, nil
}

// model returns the version from memory, or from the registry when it was not asked for lately.
func (s *Store) model(ctx context.Context, version string) (*model, error) {
	s.mu.Lock()
	m := s.models[version]
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := readModel(ctx, s.pool, version)
	if err == nil {
		err = s.owns(ctx, s.pool, version)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.models) >= cachedModels {
		clear(s.models)
	}
	s.models[version] = m
	return m, nil
}

// forget drops a version from memory when its tables were not as expected: a version that is loaded
// again may have another form.
func (s *Store) forget(err error, version string) {
	if errors.Is(err, ErrVersionGone) {
		s.unknow(version)
	}
}

func (s *Store) unknow(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.models, version)
}

// readModel reads a version from the registry.
func readModel(ctx context.Context, db querier, version string) (*model, error) {
	schema, err := schemaOf(version)
	if err != nil {
		return nil, err
	}
	m := &model{Model: recommend.Model{Version: version}, schema: schema}
	var gram []byte
	var has served
	var numbered bool
	// In one round trip: it is asked once a version, and a cold function's first answer waits for it.
	err = db.QueryRow(ctx, `SELECT solver, encoder, gram, coalesce(ef_search, 0), items, `+stateful+`, `+hasNewItems(`version`)+`, `+
		numberedSQL(`$2`)+` FROM kindred.model_version WHERE version = $1`, pgx.QueryExecModeSimpleProtocol, version, schema).
		Scan(&has, &m.Encoder, &gram, &m.efSearch, &m.items, &m.state.products, &m.state.interactions, &m.state.customers,
			&m.state.visits, &m.state.trends, &m.state.newItems, &numbered)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read model %s: %w", version, ErrUnknownVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", version, err)
	}
	m.form = formIf(numbered)
	m.Solver, m.until, m.near, m.repeat = has.Solver, has.Repeats != nil, has.Near, has.ItemRules
	m.newItems, m.together = has.NewItems, has.Together
	if m.Solver.Gram, err = decodeFloats(gram, m.Solver.Dim*m.Solver.Dim); err != nil {
		return nil, fmt.Errorf("read Gram matrix of model %s: %w", version, err)
	}
	return m, nil
}

// encodeFloats writes little-endian IEEE 754, the Gram matrix's form in the registry.
func encodeFloats(values []float32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func decodeFloats(data []byte, want int) ([]float32, error) {
	if len(data) != 4*want {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrInvalid, len(data), 4*want)
	}
	out := make([]float32, want)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out, nil
}
