package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// goldenHash is fingerprint(DefaultConfig(0.1)). Change it only with the model, and say so in the commit.
const goldenHash = "ff0af80c3cd11425"

func mustShop(t *testing.T, cfg Config) *Shop {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fingerprint hashes every row of the shop and some of the truth, rounded to where platforms agree.
func fingerprint(s *Shop) string {
	h := sha256.New()
	row := func(v any) {
		b, _ := json.Marshal(v)
		b = numbered.ReplaceAll(b, []byte(`"${1}Number":$2`))
		h.Write(append(b, '\n'))
	}
	for _, c := range s.Customers() {
		row(c)
	}
	for _, p := range s.Products() {
		row(p)
	}
	for r := range s.Ratings() {
		row(r)
	}
	for i := range 20 {
		fmt.Fprintf(h, "%.6f\n", s.Affinity(s.Customers()[i].ID, s.Products()[i].Code))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// numbered writes ids as they were when goldenHash was taken: as numbers.
var numbered = regexp.MustCompile(`"(Customer)?ID":"(\d+)"`)

func TestSameConfigGivesTheSameShop(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig(0.1)
	s := mustShop(t, cfg)
	if got := fingerprint(s); got != goldenHash {
		t.Errorf("fingerprint %s, want %s", got, goldenHash)
	}
	if again := fingerprint(s); again != goldenHash {
		t.Errorf("second iteration of the same shop differs: %s", again)
	}
	stored, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if back != cfg {
		t.Errorf("configuration changed on its way through JSON: %+v", back)
	}
	cfg.Seed = 2
	if fingerprint(mustShop(t, cfg)) == goldenHash {
		t.Error("another seed gave the same shop")
	}
}

func TestDefaultShopHasTheSizeItPromises(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(1))
	if len(s.Customers()) != 2000 || len(s.Products()) != 800 {
		t.Errorf("%d customers and %d products", len(s.Customers()), len(s.Products()))
	}
	stars := make([]int, shop.MaxStars+1)
	total := 0
	ratedBy, ratedProducts := map[string]int{}, map[string]int{}
	for r := range s.Ratings() {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if start := end.AddDate(-2, 0, -1); r.RatedAt.Before(start) || !r.RatedAt.Before(end) || r.RatedAt.Nanosecond() != 0 {
			t.Fatalf("rated at %v", r.RatedAt)
		}
		stars[r.Stars]++
		ratedBy[r.CustomerID]++
		ratedProducts[r.ProductCode]++
		total++
	}
	if total < 90_000 || total > 110_000 {
		t.Errorf("%d ratings, want about 100,000", total)
	}
	for n := shop.MinStars; n <= shop.MaxStars; n++ {
		if share := float64(stars[n]) / float64(total); share < 0.005 || share > 0.5 {
			t.Errorf("%.1f %% of the ratings have %d stars", 100*share, n)
		}
	}
	if silent := len(s.Customers()) - len(ratedBy); silent < 40 || silent > 80 {
		t.Errorf("%d customers have no rating, want about 60", silent)
	}
	if cold := len(s.Products()) - len(ratedProducts); cold < 24 || cold > 40 {
		t.Errorf("%d products have no rating, want about 24", cold)
	}
	counts := slices.Sorted(func(yield func(int) bool) {
		for _, n := range ratedBy {
			if !yield(n) {
				return
			}
		}
	})
	if least, median, most := counts[0], counts[len(counts)/2], counts[len(counts)-1]; least < minRatings ||
		most < 4*median {
		t.Errorf("ratings per customer from %d over %d to %d: no long tail", least, median, most)
	}
}

func TestRowsFitTheSchema(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(0.2))
	lines := map[string]int{}
	codes := map[string]bool{}
	for _, p := range s.Products() {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		if len([]rune(p.Name)) > shop.MaxName || codes[p.Code] || p.BuyPrice <= 0 || p.BuyPrice >= p.MSRP {
			t.Errorf("product does not fit: %+v", p)
		}
		codes[p.Code] = true
		lines[p.Line]++
	}
	if len(lines) < 7 {
		t.Errorf("%d product lines: %v", len(lines), lines)
	}
	absent := 0
	for i, c := range s.Customers() {
		if i > 0 && text.CompareIDs(c.ID, s.Customers()[i-1].ID) <= 0 {
			t.Fatalf("customer %s follows %s", c.ID, s.Customers()[i-1].ID)
		}
		if c.Name == "" || len([]rune(c.Name)) > shop.MaxCustomerName || c.City == "" || c.Country == "" {
			t.Errorf("customer %s does not fit", c.ID)
		}
		if c.CreditLimit == nil {
			absent++
		}
	}
	if absent == 0 {
		t.Error("no customer without a credit limit")
	}
}

// TestRankingByAffinityIsTheCeiling holds out each customer's last fifth and ranks what they had
// not rated before.
func TestRankingByAffinityIsTheCeiling(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(0.25))
	histories := map[string][]shop.Rating{}
	for r := range s.Ratings() {
		histories[r.CustomerID] = append(histories[r.CustomerID], r)
	}
	liked := map[string]float64{}
	for _, h := range histories {
		for _, r := range h[:len(h)*4/5] {
			if r.Stars >= likedFrom {
				liked[r.ProductCode]++
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	affinityAlone := func(c, code string) float64 { return s.Affinity(c, code) - s.appeal[s.index[code]] }
	ceiling := meanNDCG(s, histories, s.Affinity)
	taste := meanNDCG(s, histories, affinityAlone)
	popularity := meanNDCG(s, histories, func(_, code string) float64 { return liked[code] })
	chance := meanNDCG(s, histories, func(string, string) float64 { return random.Float64() })
	t.Logf("NDCG@10: ceiling %.3f, taste without popularity %.3f, popularity %.3f, random %.3f", ceiling, taste,
		popularity, chance)
	if ceiling < 2*popularity || popularity < 5*chance || taste >= ceiling {
		t.Error("want ceiling ≥ 2 × popularity ≥ 10 × random, and both parts of the utility to count")
	}
	if ceiling < 0.3 || ceiling > 0.7 {
		t.Errorf("a ceiling of %.3f is not realistic", ceiling)
	}
}

// meanNDCG is NDCG@10 with binary gain over customers with a liked product in the last fifth of
// their ratings.
func meanNDCG(s *Shop, histories map[string][]shop.Rating, score func(customer, code string) float64) float64 {
	sum, n := 0.0, 0
	for _, c := range s.Customers() {
		h := histories[c.ID]
		cut := len(h) * 4 / 5
		seen, wanted := map[string]bool{}, map[string]bool{}
		for i, r := range h {
			if i < cut {
				seen[r.ProductCode] = true
			} else if r.Stars >= likedFrom {
				wanted[r.ProductCode] = true
			}
		}
		if len(wanted) == 0 {
			continue
		}
		type ranked struct {
			code  string
			score float64
		}
		var order []ranked
		for _, p := range s.Products() {
			if !seen[p.Code] {
				order = append(order, ranked{p.Code, score(c.ID, p.Code)})
			}
		}
		slices.SortFunc(order, func(a, b ranked) int {
			if a.score != b.score {
				return map[bool]int{true: -1, false: 1}[a.score > b.score]
			}
			return strings.Compare(a.code, b.code)
		})
		gain, ideal := 0.0, 0.0
		for i := range 10 {
			if wanted[order[i].code] {
				gain += 1 / math.Log2(float64(i+2))
			}
			if i < len(wanted) {
				ideal += 1 / math.Log2(float64(i+2))
			}
		}
		sum += gain / ideal
		n++
	}
	return sum / float64(n)
}

func TestFeaturesTellSomethingAboutTastes(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(0.5))
	var same, other, samePairs, otherPairs float64
	for i := range s.persons {
		for j := i + 1; j < min(i+60, len(s.persons)); j++ {
			a, b := s.persons[i].taste, s.persons[j].taste
			cosine := dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
			if s.customers[i].Country == s.customers[j].Country {
				same, samePairs = same+cosine, samePairs+1
			} else {
				other, otherPairs = other+cosine, otherPairs+1
			}
		}
	}
	if same/samePairs < other/otherPairs+0.1 {
		t.Errorf("mean cosine of tastes within a country %.3f, across countries %.3f", same/samePairs, other/otherPairs)
	}
	var rich, poor []float64
	for i, c := range s.customers {
		if c.CreditLimit == nil {
			continue
		}
		if *c.CreditLimit > 75_000_00 {
			rich = append(rich, s.persons[i].taste[0])
		} else {
			poor = append(poor, s.persons[i].taste[0])
		}
	}
	if mean(rich) < mean(poor)+0.5 {
		t.Errorf("taste for price: %.2f above the median credit limit, %.2f below", mean(rich), mean(poor))
	}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

func TestDriftMovesTastesButNotTheirEnd(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig(0.1)
	cfg.Drift = 0
	still := mustShop(t, cfg)
	cfg.Drift = 1
	moving := mustShop(t, cfg)
	differ := 0
	stillRatings, movingRatings := slices.Collect(still.Ratings()), slices.Collect(moving.Ratings())
	for i := range min(len(stillRatings), len(movingRatings)) {
		if stillRatings[i].ProductCode != movingRatings[i].ProductCode {
			differ++
		}
	}
	if differ < len(stillRatings)/20 {
		t.Errorf("drift changed %d of %d ratings", differ, len(stillRatings))
	}
	for _, p := range still.Products() {
		if a, b := still.Affinity("101", p.Code), moving.Affinity("101", p.Code); a != b {
			t.Fatalf("affinity at the period's end moved with the drift: %v, %v", a, b)
		}
	}
}

func TestAffinityOfUnknownIsZeroAndOfAllIsFinite(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(0.05))
	if s.Affinity("1", s.Products()[0].Code) != 0 || s.Affinity("101", "nothing") != 0 {
		t.Error("unknown customer or product has an affinity")
	}
	newcomer, taste := s.Newcomer(3)
	if again, _ := s.Newcomer(3); again.Name != newcomer.Name ||
		text.CompareIDs(newcomer.ID, s.Customers()[len(s.Customers())-1].ID) <= 0 {
		t.Errorf("newcomer %s is not stable or collides", newcomer.ID)
	}
	for _, p := range s.Products() {
		for _, c := range s.Customers() {
			if a := s.Affinity(c.ID, p.Code); math.IsNaN(a) || math.IsInf(a, 0) {
				t.Fatalf("affinity of customer %s for %s is %v", c.ID, p.Code, a)
			}
		}
		if a := taste.Affinity(p.Code); math.IsNaN(a) || a == 0 {
			t.Fatalf("newcomer's affinity for %s is %v", p.Code, a)
		}
		if l := taste.Liking(p.Code); !(l > 0 && l <= 1) {
			t.Fatalf("newcomer likes %s with chance %v", p.Code, l)
		}
	}
}

func TestRatedByIsWhatRatingsSay(t *testing.T) {
	t.Parallel()
	s := mustShop(t, DefaultConfig(0.05))
	want := map[string][]string{}
	for r := range s.Ratings() {
		want[r.CustomerID] = append(want[r.CustomerID], r.ProductCode)
	}
	for _, c := range s.Customers() {
		if got := s.RatedBy(c.ID); !slices.Equal(got, want[c.ID]) {
			t.Fatalf("customer %s rated %v, not %v", c.ID, want[c.ID], got)
		}
	}
	if got := s.RatedBy("1"); got != nil {
		t.Errorf("nobody rated %v", got)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig(1)
	cfg.Customers, cfg.Dims, cfg.Drift = 0, 1, math.NaN()
	_, err := New(cfg)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"customers is 0", "dims is 1", "drift is NaN"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestSmallestShops(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		DefaultConfig(0.0001),
		{Customers: 1, Products: 2, RatingsPerCustomer: 1, Dims: 2, Segments: 1, StarNoise: 1},
	} {
		s := mustShop(t, cfg)
		pairs := map[string]bool{}
		for r := range s.Ratings() {
			key := fmt.Sprint(r.CustomerID, r.ProductCode)
			if pairs[key] {
				t.Errorf("pair %s twice", key)
			}
			pairs[key] = true
		}
		if len(pairs) == 0 {
			t.Errorf("no ratings for %+v", cfg)
		}
	}
}
