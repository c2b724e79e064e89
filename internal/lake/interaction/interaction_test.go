package interaction_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/interaction"
	"kindred/internal/lake/objectstore"
)

// commitRows commits a file of interactions whose manifest lists so many rows.
func commitRows(t *testing.T, fingerprint string, rows []interaction.Interaction, listed int64) (*commit.Repository,
	commit.Manifest) {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, interaction.File))
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[interaction.Interaction](file)
	_, err = w.Write(rows)
	if err = errors.Join(err, w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	repository := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "feedback")
	m, _, err := repository.Commit(t.Context(), commit.Draft{Kind: interaction.Kind, SchemaFingerprint: fingerprint,
		Dir: dir, Files: []commit.File{{Path: interaction.File, DataSet: interaction.DataSet, Rows: listed}}})
	if err != nil {
		t.Fatal(err)
	}
	return repository, m
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	t.Parallel()
	want := []interaction.Interaction{
		{CustomerID: "7", ProductCode: "A", Action: interaction.View, OccurredAt: 1_700_000_000_123},
		{CustomerID: "7", ProductCode: "Ł-1", Action: interaction.Purchase, OccurredAt: -1},
	}
	repository, m := commitRows(t, interaction.SchemaFingerprint, want, 2)
	got, err := interaction.Read(t.Context(), repository, m, t.TempDir())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestReadRefusesAnotherSchemaAndAnotherNumberOfRows(t *testing.T) {
	t.Parallel()
	rows := []interaction.Interaction{{CustomerID: "7", ProductCode: "A", Action: interaction.Cart}}
	repository, m := commitRows(t, "feedback-0", rows, 1)
	if _, err := interaction.Read(t.Context(), repository, m, ""); !errors.Is(err, interaction.ErrSchema) {
		t.Errorf("another schema: %v", err)
	}
	repository, m = commitRows(t, interaction.SchemaFingerprint, rows, 2)
	if _, err := interaction.Read(t.Context(), repository, m, ""); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("one row of two: %v", err)
	}
}
