package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
)

type placementsCommand struct {
	Run      placementsRun      `cmd:"" default:"withargs" help:"Check a file of placements, keep it in the lake, and make it live (the default command)."`
	List     placementsList     `cmd:"" help:"List the versions of the placements, and which one was live when."`
	Show     placementsShow     `cmd:"" help:"Print a version of the placements as it was published."`
	Rollback placementsRollback `cmd:"" help:"Make the previous version of the placements live again."`
}

type placementsRun struct {
	envconfig.PGVector
	envconfig.Lake `set:"lake_use=the placements that were published"`
	move
	File  string `arg:"" placeholder:"FILE" help:"File of placements: YAML."`
	Check bool   `help:"Only check the file: write nothing."`
}

// Run makes placements live.
func (c *placementsRun) Run(ctx context.Context, out *program.Output) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	name := filepath.Base(c.File)
	if c.Check {
		read, _, err := readPlacements(name, data)
		if err != nil {
			return err
		}
		return out.Result(fmt.Sprintf("%s has no fault: %s.", name, strings.Join(read.Names(), ", ")),
			PlacementsResult{read.Version, read.Names(), true})
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Bucket)
		if err != nil {
			return err
		}
		r, err := PublishPlacements(ctx, Database{s}, lake, name, data,
			vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason})
		if err != nil {
			return err
		}
		sentence := fmt.Sprintf("Placements %s are live: %s.", r.Version, strings.Join(r.Placements, ", "))
		if r.NoOp {
			sentence = fmt.Sprintf("Placements %s were live already: nothing to do.", r.Version)
		}
		return out.Result(sentence, r)
	})
}

// placementsListing is what `publish placements list` knows.
type placementsListing struct {
	Versions []vectorstore.PlacedVersion  `json:"versions"`
	History  []vectorstore.PlacementsMove `json:"history"`
}

type placementsList struct{ envconfig.PGVector }

// Run lists versions and history.
func (c *placementsList) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) (err error) {
		var l placementsListing
		if l.Versions, err = s.PlacedVersions(ctx); err != nil {
			return err
		}
		if l.History, err = s.PlacementsHistory(ctx); err != nil {
			return err
		}
		return out.Result(l.String(), l)
	})
}

// String prints versions and history in lines.
func (l placementsListing) String() string {
	if len(l.Versions) == 0 {
		return "No placements were published."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %-9s %s\n", "VERSION", "STANDING", "PLACEMENTS")
	for _, v := range l.Versions {
		standing := ""
		if v.Live {
			standing = "live"
		}
		fmt.Fprintf(&b, "%-18s %-9s %s\n", v.Version, standing, strings.Join(v.Names, ", "))
	}
	for _, m := range l.History {
		b.WriteString(Line(vectorstore.Promotion{At: m.At, Actor: m.Actor, Action: m.Action, From: m.From, To: m.To,
			Reason: m.Reason}) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

type placementsShow struct {
	envconfig.PGVector
	envconfig.Lake `set:"lake_use=the placements that were published"`
	Version        string `arg:"" optional:"" help:"Version to print. Default: the live one."`
}

// shownPlacements is what `publish placements show` prints.
type shownPlacements struct {
	Version string    `json:"version"`
	Live    bool      `json:"live"`
	AddedAt time.Time `json:"added_at"`
	File    string    `json:"file"` // as it was published
}

// Run prints a version.
func (c *placementsShow) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Bucket)
		if err != nil {
			return err
		}
		versions, err := s.PlacedVersions(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.Version != c.Version && (c.Version != "" || !v.Live) {
				continue
			}
			file, _, err := objectstore.ReadAll(ctx, lake, placementsKey(v.Version))
			if err != nil {
				return fmt.Errorf("read %s of %s: %w", placementsKey(v.Version), lake, err)
			}
			return out.Result(strings.TrimSuffix(string(file), "\n"), shownPlacements{v.Version, v.Live, v.AddedAt,
				string(file)})
		}
		return errors.New("there are no such placements: `publish placements list` names those that there are")
	})
}

type placementsRollback struct {
	envconfig.PGVector
	move
}

// Run moves the pointer back.
func (c *placementsRollback) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		version, err := s.RollbackPlacements(ctx, vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason})
		if err != nil {
			return err
		}
		return out.Result("Placements "+version+" are live again.", struct {
			Version string `json:"version"`
		}{version})
	})
}
