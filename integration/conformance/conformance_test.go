package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

const page = "../../docs/parity.md"

func TestRowsAreWholeAndUnlikeEachOther(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z0-9]+/[a-z0-9-]+$`)
	seen := map[string]bool{}
	var section string
	sections := map[string]bool{}
	for _, b := range Behaviours() {
		if seen[b.ID] || seen[b.Rule] {
			t.Errorf("%s: its id or its rule is another row's too", b.ID)
		}
		seen[b.ID], seen[b.Rule] = true, true
		if !form.MatchString(b.ID) || b.Rule == "" || strings.Contains(b.Rule, "|") || !strings.Contains(b.Source, ".html") ||
			b.check == nil {
			t.Errorf("%s: the row is not whole", b.ID)
		}
		if name, _, _ := strings.Cut(b.ID, "/"); name != section {
			if section = name; sections[name] {
				t.Errorf("%s: the rows of a section are apart", b.ID)
			}
			sections[name] = true
		}
	}
}

// TestCoveringTestsExist looks for the test that a row names, and wants one, or the reason why
// there is none, for each row that some emulator does otherwise: kindred's other tests run on
// emulators and cannot see the rule there.
func TestCoveringTestsExist(t *testing.T) {
	t.Parallel()
	table := mustReadPage(t)
	for _, b := range Behaviours() {
		where, name, _ := strings.Cut(b.Covered, " ")
		switch {
		case where+" " == noTest && name != "":
		case strings.HasSuffix(where, ".tftest.hcl"):
			wantText(t, b, filepath.Join("../..", where), `run "`+name+`" {`)
		case b.Covered != "":
			wantText(t, b, filepath.Join("../..", where, "*_test.go"), "\nfunc "+name+"(")
		default:
			for _, title := range table.Columns[1:] {
				if cell := table.cell(title, b.ID); cell != AsDocumented && cell != needsDocker {
					t.Errorf("%s: %s has %q, and no test of kindred's is named for it", b.ID, title, cell)
				}
			}
		}
	}
}

func wantText(t *testing.T, b Behaviour, pattern, text string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return
		}
	}
	t.Errorf("%s: %s does not exist", b.ID, b.Covered)
}

func mustReadPage(t *testing.T) Table {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestPageIsGenerated: what String makes of the page's cells is the page, so nothing in it was
// written by hand but cells, and those are compared with LocalStack by the integration tests.
func TestPageIsGenerated(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	table := mustReadPage(t)
	if diff := cmp.Diff(table.String(), string(text)); diff != "" {
		t.Errorf("docs/parity.md is not what `make conformance` writes (-made +found):\n%s", diff)
	}
	if len(table.Columns) < 4 || table.Columns[0] != AWSColumn {
		t.Errorf("columns %q: want AWS and three emulators at least", table.Columns)
	}
	for _, title := range table.Columns[1:] {
		for _, b := range Behaviours() {
			if cell := table.cell(title, b.ID); cell == NotRun || strings.ContainsAny(cell, "\n") ||
				strings.Contains(cell, namePrefix) {
				t.Errorf("%s, %s: %q", title, b.ID, cell)
			}
		}
	}
}

func TestTableSurvivesItsPage(t *testing.T) {
	t.Parallel()
	rows := Behaviours()
	var table Table
	table.Set(AWSColumn, map[string]string{})
	table.Set("LocalStack 1.0", map[string]string{rows[0].ID: AsDocumented})
	table.Set("Local 2.0", map[string]string{rows[0].ID: "differs: a | b", rows[3].ID: "not supported: X gives 404"})
	table.Set("LocalStack 1.1", map[string]string{rows[0].ID: "differs: now"})
	if want := []string{AWSColumn, "LocalStack 1.1", "Local 2.0"}; !slices.Equal(table.Columns, want) {
		t.Errorf("columns %q, want %q", table.Columns, want)
	}
	read, err := Read(table.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table.String(), read.String()); diff != "" {
		t.Error(diff)
	}
	if got := read.cell("Local 2.0", rows[0].ID); got != "differs: a | b" {
		t.Errorf("a cell comes back as %q", got)
	}
	if got := read.Differences("LocalStack 1.1", map[string]string{rows[0].ID: AsDocumented}); len(got) != 1 ||
		!strings.Contains(got[0], rows[0].ID) {
		t.Errorf("differences are %q", got)
	}
	if got := read.Differences("LocalStack 1.1", map[string]string{rows[0].ID: "differs: now"}); got != nil {
		t.Errorf("differences are %q", got)
	}
	read.Set("Local 2.0", map[string]string{rows[3].ID: AsDocumented})
	if read.cell("Local 2.0", rows[0].ID) != "differs: a | b" || read.cell("Local 2.0", rows[3].ID) != AsDocumented {
		t.Errorf("a run of some rows leaves %v", read.Cells["Local 2.0"])
	}
	if _, err := Read("no table"); err == nil {
		t.Error("a page without a table is read")
	}
}

// answer is the error for an answer whose body the SDK cannot read.
func answer(status int) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: errors.New("unexpected EOF")}}
}

func TestCells(t *testing.T) {
	t.Parallel()
	call := func(err error) error {
		return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: err}
	}
	for _, c := range []struct {
		check func(context.Context, *place)
		want  string
	}{
		{func(context.Context, *place) {}, AsDocumented},
		{func(context.Context, *place) { differs("%d objects", 3) }, "differs: 3 objects"},
		{func(context.Context, *place) {
			check(call(&smithy.GenericAPIError{Code: "NotImplemented", Message: "kindred-conformance-x"}))
		},
			"not supported: S3 PutObject gives NotImplemented"},
		{func(context.Context, *place) { check(call(errors.New("odd"))) },
			"not supported: S3 PutObject gives an answer that the SDK does not understand"},
		{func(context.Context, *place) { check(call(answer(http.StatusOK))) },
			"not supported: S3 PutObject answers 200 with a body that the SDK cannot read"},
		{func(context.Context, *place) { check(call(answer(http.StatusNotFound))) }, "not supported: S3 PutObject gives 404"},
		{func(context.Context, *place) { check(call(context.DeadlineExceeded)) },
			"not supported: S3 PutObject gives no answer"},
		{func(context.Context, *place) { check(fmt.Errorf("Docker is not running")) }, "not run: needs Docker"},
		{func(context.Context, *place) { check(context.DeadlineExceeded) }, "differs: not done in time"},
		{func(context.Context, *place) { refused(nil, "it is accepted", "Code") }, "differs: it is accepted"},
		{func(context.Context, *place) { refused(call(&smithy.GenericAPIError{Code: "Other"}), "", "Code") },
			"differs: refused with Other, not Code"},
		{func(context.Context, *place) { refused(call(&smithy.GenericAPIError{Code: "Code"}), "", "Code") }, AsDocumented},
		{func(context.Context, *place) { var s *string; _ = *s }, "differs: an answer lacks what AWS's has"},
	} {
		var log strings.Builder
		if got := cellOf(trial(t.Context(), nil, Behaviour{ID: "x/y", check: c.check}, &log)); got != c.want {
			t.Errorf("cell %q, want %q", got, c.want)
		}
	}
}

func TestPlaceIsClearedInReverseAndWhole(t *testing.T) {
	t.Parallel()
	p := newPlace(newClients(Target{Config: aws.Config{Region: "eu-west-1"}}))
	if !strings.HasPrefix(p.name, namePrefix) || len(p.name) > 40 {
		t.Errorf("name %q", p.name)
	}
	var order []int
	stays := errors.New("stays")
	for i := range 3 {
		p.undo(func(ctx context.Context) error {
			if order = append(order, i); i == 1 {
				return stays
			}
			return ctx.Err()
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // the row's time is over: its resources go all the same
	if err := p.clear(ctx); !errors.Is(err, stays) || !slices.Equal(order, []int{2, 1, 0}) {
		t.Errorf("cleared %v, %v", order, err)
	}
}
