package console

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/shop"
)

// TestTheReportStandsAlone: one file without an address, a form or a script, whose ids are its own.
func TestTheReportStandsAlone(t *testing.T) {
	t.Parallel()
	c := ReportCommand{Sources: folders(t).Sources, Out: filepath.Join(t.TempDir(), "report.html")}
	c.Window = time.Hour
	store, err := objectstore.Open(t.Context(), c.Lake.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	v := recommendtest.Version("m100000000000001")
	if _, err := modelfile.Write(t.Context(), commit.NewRepository(store, envconfig.ModelPrefix), v,
		t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{Customer: trainingset.Int32, Product: trainingset.Text})
	if err := w.Customers([]shop.Customer{{ID: "101", Name: "Ann"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Products([]shop.Product{{Code: "P1", Name: "Harley"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Rating(trainingset.Rating{Stars: 5, RatedAt: trainingset.NoTime}); err != nil {
		t.Fatal(err)
	}
	draft, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	draft.Details = etl.Details{Counts: etl.Counts{Read: 4, UnknownCustomer: 3},
		Examples: shop.Examples{shop.RatingCustomer: {"customer 4711"}}}
	if _, _, err := commit.NewRepository(store, envconfig.TrainingSetPrefix).Commit(t.Context(), draft); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := c.Run(t.Context(), &program.Output{Stdout: &said}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, want := range []string{"The loop", v.ID, "Outcome", "Customers, by how much each did"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	leads := regexp.MustCompile(`(?i)<form|<script|<link|(href|src|action)="(/|http)|4711| data-[a-z]+="`)
	if found := leads.FindString(page); found != "" {
		t.Errorf("the report has %q", found)
	}
	seen := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if seen[id[1]] {
			t.Errorf("two parts have the id %s", id[1])
		}
		seen[id[1]] = true
	}
	for _, to := range regexp.MustCompile(`(?:aria-labelledby|for)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !seen[to[1]] {
			t.Errorf("nothing has the id %s", to[1])
		}
	}
	if !strings.Contains(said.String(), c.Out) || len(seen) < 5 {
		t.Errorf("it says %q, with %d ids", &said, len(seen))
	}
	c.Version = "m200000000000002"
	if err := c.Run(t.Context(), &program.Output{Stdout: &said}); err == nil {
		t.Error("a report of no version")
	}
}
