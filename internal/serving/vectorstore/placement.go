package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
)

// placementsVersion is the live version of the placements in a row of kindred.live; "" if there is none. A
// database that is not migrated lacks the column.
const placementsVersion = `coalesce(to_jsonb(live) ->> 'placements', '')`

// placementsReader reads versions of the placements; of none, "", nothing. It reads what an experiment of placements
// compares, by its name.
type placementsReader struct {
	version func(ctx context.Context, version string) (*recommend.Placements, error)
	arms    func(ctx context.Context, name string) (placementsArms, error)
}

// experiment reads an experiment of placements.
func (r placementsReader) experiment(ctx context.Context, name string) (*recommend.Experiment, error) {
	arms, err := r.arms(ctx, name)
	if err != nil {
		return nil, err
	}
	treatment, err := r.version(ctx, arms.treatment)
	return &recommend.Experiment{Name: name, Share: arms.share, Placements: treatment}, err
}

// keptPlaced is how many versions of the placements stay in memory: those of both arms, while either of them changes.
const keptPlaced = 4

// placed is what was read of placements: it never changes. The store's mutex guards it.
type placed struct {
	versions map[string]*recommend.Placements // at most keptPlaced
	name     string                           // of the experiment that was read last
	arms     placementsArms
}

// placements reads from memory, or from the database what was not read lately.
func (s *Store) placements() placementsReader {
	return placementsReader{s.placementsVersion, s.placementsArms}
}

func (s *Store) placementsVersion(ctx context.Context, version string) (*recommend.Placements, error) {
	s.mu.Lock()
	known := s.placed.versions[version]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := readPlacements(ctx, s.pool, version)
	if found == nil || err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.placed.versions == nil || len(s.placed.versions) >= keptPlaced {
		s.placed.versions = map[string]*recommend.Placements{}
	}
	s.placed.versions[version] = found
	return found, nil
}

func (s *Store) placementsArms(ctx context.Context, name string) (placementsArms, error) {
	s.mu.Lock()
	last, known := s.placed.name, s.placed.arms
	s.mu.Unlock()
	if last == name {
		return known, nil
	}
	found, err := readArms(ctx, s.pool, name)
	if err != nil {
		return found, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed.name, s.placed.arms = name, found
	return found, nil
}

// readPlacements reads a version of the placements; without one, "", nothing. One that is not there, as after
// somebody has deleted it, has a fault.
func readPlacements(ctx context.Context, db querier, version string) (*recommend.Placements, error) {
	if version == "" {
		return nil, nil
	}
	var rules []byte
	err := db.QueryRow(ctx, `SELECT rules::text FROM kindred.placements WHERE version = $1`, unnamed, version).Scan(&rules)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read placements %s: %w", version, err)
	}
	return recommend.ReadPlacements(version, rules), nil
}

// PlacedVersion is a version of the placements.
type PlacedVersion struct {
	Version string    `json:"version"`
	Live    bool      `json:"live"`
	Names   []string  `json:"placements"`
	AddedAt time.Time `json:"added_at"`
}

// PlacementsMove is a line of the history of the live placements.
type PlacementsMove struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action Action    `json:"action"`
	From   string    `json:"from"` // empty: none were live
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

// ActionPublish makes a version of the placements live.
const ActionPublish Action = "publish"

// PublishPlacements adds a version of the placements, which EncodePlacements wrote, unless it is there, and makes it
// live. It says whether that changed anything. Readers see the old version or the new one. Errors: ErrExperimentRuns
// while an experiment compares the live ones.
func (s *Store) PublishPlacements(ctx context.Context, version string, rules []byte,
	opts PromoteOptions) (changed bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		live, err := lockPlacements(ctx, tx)
		if err != nil || live == version {
			return err
		}
		if err := noneRuns(ctx, tx, ComparesPlacements); err != nil {
			return err
		}
		changed = true
		if err := addPlacements(ctx, tx, version, rules); err != nil {
			return err
		}
		return movePlacements(ctx, tx, PlacementsMove{Actor: opts.Actor, Action: ActionPublish, From: live, To: version,
			Reason: opts.Reason})
	})
	if err != nil {
		return false, fmt.Errorf("publish placements %s: %w", version, unmigrated(err))
	}
	return changed, nil
}

// RollbackPlacements makes the version live again that was live before, and returns it. A second one goes forward
// again. Errors: ErrNoPrevious.
func (s *Store) RollbackPlacements(ctx context.Context, opts PromoteOptions) (version string, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		live, err := lockPlacements(ctx, tx)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT coalesce(from_version, '') FROM kindred.placements_move ORDER BY id DESC LIMIT 1`).
			Scan(&version)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && version == "" {
			return ErrNoPrevious
		}
		if err != nil {
			return err
		}
		return movePlacements(ctx, tx, PlacementsMove{Actor: opts.Actor, Action: ActionRollback, From: live, To: version,
			Reason: opts.Reason})
	})
	if err != nil {
		return "", fmt.Errorf("roll back placements: %w", unmigrated(err))
	}
	return version, nil
}

// lockPlacements keeps others from moving the pointer, and returns where it is.
func lockPlacements(ctx context.Context, tx pgx.Tx) (live string, err error) {
	if _, err := tx.Exec(ctx, promoteLocks); err != nil {
		return "", err
	}
	err = tx.QueryRow(ctx, `SELECT coalesce(placements, '') FROM kindred.live FOR UPDATE`).Scan(&live)
	return live, err
}

// addPlacements adds a version unless it is there.
func addPlacements(ctx context.Context, tx pgx.Tx, version string, rules []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO kindred.placements (version, rules) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		version, string(rules))
	return err
}

func movePlacements(ctx context.Context, tx pgx.Tx, m PlacementsMove) error {
	if _, err := tx.Exec(ctx, `UPDATE kindred.live SET placements = $1`, m.To); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO kindred.placements_move (actor, action, from_version, to_version, reason)
		VALUES ($1, $2, nullif($3, ''), $4, $5)`, m.Actor, m.Action, m.From, m.To, m.Reason)
	return err
}

// PlacedVersions lists the versions of the placements, newest first.
func (s *Store) PlacedVersions(ctx context.Context) (all []PlacedVersion, err error) {
	rows, err := s.pool.Query(ctx, `SELECT p.version, p.version = l.placements IS TRUE, p.rules::text, p.added_at
		FROM kindred.placements p CROSS JOIN kindred.live l ORDER BY p.added_at DESC, p.version`)
	if err == nil {
		var v PlacedVersion
		var rules []byte
		_, err = pgx.ForEachRow(rows, []any{&v.Version, &v.Live, &rules, &v.AddedAt}, func() error {
			v.Names = recommend.ReadPlacements(v.Version, rules).Names()
			all = append(all, v)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list placements: %w", unmigrated(err))
	}
	return all, nil
}

// PlacementsHistory lists what was done to the pointer, oldest first.
func (s *Store) PlacementsHistory(ctx context.Context) ([]PlacementsMove, error) {
	rows, err := s.pool.Query(ctx, `SELECT at, actor, action, coalesce(from_version, ''), to_version, reason
		FROM kindred.placements_move ORDER BY id`)
	if err == nil {
		var all []PlacementsMove
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PlacementsMove]); err == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("list the history of placements: %w", unmigrated(err))
}
