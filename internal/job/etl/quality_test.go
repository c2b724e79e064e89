package etl

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"kindred/internal/platform/program"
	"kindred/internal/shop"
)

func TestRuleThatIsBrokenTooOftenIsNamedInOneSentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		counts Counts
		limits Limits
		want   string // "" passes
	}{
		{"all good", Counts{Read: 10}, Limits{}, ""},
		{"at the limit", Counts{Read: 100, UnknownCustomer: 1, Duplicate: 2}, Limits{Orphans: 0.01, Duplicates: 0.02}, ""},
		{"beyond it", Counts{Read: 100, UnknownCustomer: 1, UnknownProduct: 1}, Limits{Orphans: 0.01},
			"2 of 100 ratings have no customer or no product (1 customer unknown, 1 product unknown), at most 1 % may " +
				"(--max-orphans)"},
		{"a key", Counts{Read: 5, MissingKey: 1}, Limits{},
			"1 of 5 ratings lack a customer or a product id, at most 0 % may (--max-missing-keys), " +
				"such as rating 1, rating 2, rating 3"},
		{"a customer", Counts{Read: 5, Customers: TableCounts{Read: 3, BadKey: 1, Duplicate: 1}}, Limits{Customers: 0.3},
			"2 of 3 customers have no key that can be used, or another row's, at most 30 % may (--max-bad-customers)"},
		{"one customer of few", Counts{Read: 5, Customers: TableCounts{Read: 3, BadKey: 1}}, Limits{Customers: 0.01}, ""},
		{"not even one", Counts{Read: 5, Customers: TableCounts{Read: 3, BadKey: 1}}, Limits{}, "(--max-bad-customers)"},
		{"stars", Counts{Read: 5, StarsRange: 2}, Limits{StarsRange: 0.2},
			"2 of 5 ratings are not from 1 to 5 stars, at most 20 % may (--max-bad-stars)"},
		{"future", Counts{Read: 5, FutureDate: 1}, Limits{},
			"1 of 5 ratings are dated in the future, at most 0 % may (--max-future-dates)"},
		{"several", Counts{Read: 5, Duplicate: 1, FutureDate: 1}, Limits{}, "(--max-duplicates); 1 of 5 ratings are dated"},
		{"nothing left", Counts{Read: 5, Duplicate: 2, UnknownProduct: 3}, Limits{Duplicates: 1, Orphans: 1},
			"not one rating is left"},
		{"nothing read", Counts{}, Limits{}, "there are no ratings"},
	}
	for _, test := range tests {
		err := test.counts.check(test.limits, shop.Examples{shop.RatingKey: {"rating 1", "rating 2", "rating 3", "rating 4"}})
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, ErrQuality) &&
			!errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestCountsOfPartitionsAddUp(t *testing.T) {
	t.Parallel()
	one := Counts{Read: 1, MissingKey: 2, StarsRange: 3, UnknownCustomer: 4, UnknownProduct: 5, Duplicate: 6,
		FutureDate: 7}
	sum := Counts{}
	sum.add(one)
	sum.add(one)
	want := Counts{Read: 2, MissingKey: 4, StarsRange: 6, UnknownCustomer: 8, UnknownProduct: 10, Duplicate: 12,
		FutureDate: 14}
	if sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

func TestLimitsAreShares(t *testing.T) {
	t.Parallel()
	if err := few.Validate(); err != nil {
		t.Error(err)
	}
	err := Limits{MissingKeys: -1, Duplicates: 2, FutureDates: math.NaN()}.Validate()
	for _, want := range []string{"--max-missing-keys is -1", "--max-duplicates is 2", "--max-future-dates is NaN"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestBadFlagsAreOneSentenceAndExitCode2(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--prune-after=1m": "--prune-after is 1m0s", "--partition=0/2": "--partition and --job go together",
		"--dry-run --partition=0/2 --job=j": "--dry-run has no --partition",
		"prune --older-than=5m":             "--older-than is 5m0s", "plan --job=j --partitions=0": "--partitions is 0",
		"commit-parts --job=j --max-orphans=7":                        "--max-orphans is 7",
		"--mapping=/nowhere/shop.sql --lake=file:///tmp/kindred-none": "read mapping: open /nowhere/shop.sql",
		"verify": "no object store: LAKE_BUCKET is not set",
	} {
		var stdout, stderr bytes.Buffer
		code := program.Run(t.Context(), "etl", Description, &Command{}, strings.Fields(args), &stdout, &stderr)
		said := stderr.String()
		if first, rest, _ := strings.Cut(said, "\n"); strings.Contains(first, " works on: ") {
			said = rest
		}
		if code != 2 || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit %d, %s", args, code, said)
		}
	}
}

func TestParsePartition(t *testing.T) {
	t.Parallel()
	if i, n, err := parsePartition("3/16"); err != nil || i != 3 || n != 16 {
		t.Errorf("%d of %d, error %v", i, n, err)
	}
	for _, text := range []string{"", "1", "4/4", "-1/4", "1/0", "a/b", "1/2/3", "1/2 x", "0/100000"} {
		if _, _, err := parsePartition(text); !errors.Is(err, program.ErrConfig) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
