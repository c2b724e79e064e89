package visitor

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/lab/simulation"
	"kindred/internal/shop"
	"kindred/internal/stream/activity"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func mustPlanted(t *testing.T) (*Planted, []shop.Product) {
	t.Helper()
	s, err := simulation.New(simulation.DefaultConfig(0.1))
	if err != nil {
		t.Fatal(err)
	}
	return NewPlanted(s), s.Products()
}

func mustLikes(t *testing.T) (*Likes, []shop.Product) {
	t.Helper()
	s, err := simulation.New(simulation.DefaultConfig(0.1))
	if err != nil {
		t.Fatal(err)
	}
	var liked []shop.Rating
	for r := range s.Ratings() {
		if r.Stars >= 4 {
			liked = append(liked, r)
		}
	}
	return NewLikes(s.Customers(), s.Products(), liked), s.Products()
}

func mustClicks(t *testing.T, cfg Config, products []shop.Product, g guide, n int) []Click {
	t.Helper()
	crowd, err := New(cfg, products, g)
	if err != nil {
		t.Fatal(err)
	}
	var all []Click
	for range n {
		c, clicked, err := crowd.Next(noon)
		if err != nil || !clicked {
			t.Fatalf("clicked %v, error %v", clicked, err)
		}
		all = append(all, c)
	}
	return all
}

func TestSessionsGrowClickByClick(t *testing.T) {
	t.Parallel()
	planted, products := mustPlanted(t)
	likes, _ := mustLikes(t)
	for name, g := range map[string]guide{"planted": planted, "likes": likes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codes := map[string]bool{}
			for _, p := range products {
				codes[p.Code] = true
			}
			uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
			seen, ids, over := map[string][]activity.Browse{}, map[string]bool{}, map[string]bool{}
			for _, c := range mustClicks(t, Config{Seed: 1, Run: "a", Active: 20}, products, g, 3000) {
				var e struct {
					activity.Event
					BrowseHistory []struct {
						ProductCode    string `json:"product_code"`
						InShoppingCart bool   `json:"in_shopping_cart"`
						Purchased      bool   `json:"purchased"`
					} `json:"browse_history"`
				}
				if err := json.Unmarshal(c.Data, &e); err != nil {
					t.Fatalf("event %s: %v", c.Data, err)
				}
				if e.EventID != c.EventID || e.SessionID != c.SessionID || !uuid.MatchString(c.EventID) || ids[c.EventID] {
					t.Fatalf("ids of %s do not fit or are not new", c.Data)
				}
				ids[c.EventID] = true
				bought := false
				var history []activity.Browse
				for _, b := range e.BrowseHistory {
					if !codes[b.ProductCode] {
						t.Fatalf("product %q is not in the shop", b.ProductCode)
					}
					if bought = bought || b.Purchased; b.Purchased && !b.InShoppingCart {
						t.Fatalf("%s was bought from outside the cart", b.ProductCode)
					}
					history = append(history, activity.Browse{ProductCode: activity.ID(b.ProductCode),
						InShoppingCart: b.InShoppingCart})
				}
				before, known := seen[c.SessionID]
				if !known && len(history) == 0 { // the front page
					seen[c.SessionID] = history
					continue
				}
				if bought { // what was in the cart, and the session ends
					if !slices.Equal(history, before) || over[c.SessionID] {
						t.Fatalf("session %s went from %v to %v and bought", c.SessionID, before, history)
					}
					over[c.SessionID] = true
					continue
				}
				if len(before) == maxHistory {
					before = before[1:]
				}
				if len(history) != len(before)+1 || !slices.Equal(history[:len(before)], before) {
					t.Fatalf("session %s went from %v to %v", c.SessionID, before, history)
				}
				seen[c.SessionID] = history
			}
			if len(seen) < 300 || len(over) < 50 {
				t.Errorf("%d sessions in 3,000 clicks, %d of them bought", len(seen), len(over))
			}
		})
	}
}

func TestAllKindsOfVisitorsAndFieldsAppear(t *testing.T) {
	t.Parallel()
	g, products := mustPlanted(t)
	known := map[string]bool{}
	for _, c := range g.customers() {
		known[c.ID] = true
	}
	count := map[string]int{}
	for _, c := range mustClicks(t, Config{Seed: 1, Active: 20}, products, g, 2000) {
		var e map[string]any
		if err := json.Unmarshal(c.Data, &e); err != nil {
			t.Fatal(err)
		}
		number, hasNumber := e["customer_number"].(float64)
		switch {
		case !hasNumber:
			count["anonymous"]++
		case known[strconv.Itoa(int(number))]:
			count["customer"]++
		default:
			count["newcomer"]++
			if e["country"] == "" || e["country"] == nil {
				t.Errorf("newcomer without country: %s", c.Data)
			}
		}
		if _, ok := e["campaign"]; ok {
			count["extra"]++
		}
		last := e["browse_history"].([]any)
		if len(last) == 0 {
			count["landing"]++
			continue
		}
		b := last[len(last)-1].(map[string]any)
		if _, ok := b["quantity"].(string); ok {
			count["string"]++
		}
		if b["in_shopping_cart"] == true {
			count["cart"]++
		}
	}
	for kind, least := range map[string]int{"anonymous": 200, "customer": 1200, "newcomer": 30, "extra": 100,
		"landing": 40, "string": 400, "cart": 200} {
		if count[kind] < least {
			t.Errorf("%d of 2,000 events are of kind %q, want at least %d", count[kind], kind, least)
		}
	}
}

func TestRunAndSeedDecideEverything(t *testing.T) {
	t.Parallel()
	g, products := mustPlanted(t)
	data := func(cfg Config) (all []string) {
		for _, c := range mustClicks(t, cfg, products, g, 200) {
			all = append(all, string(c.Data))
		}
		return all
	}
	first := data(Config{Seed: 1, Run: "a", Active: 5})
	if !slices.Equal(first, data(Config{Seed: 1, Run: "a", Active: 5})) {
		t.Error("the same run and seed gave other events")
	}
	again := mustClicks(t, Config{Seed: 1, Run: "b", Active: 5}, products, g, 200)
	for i, c := range mustClicks(t, Config{Seed: 1, Run: "a", Active: 5}, products, g, 200) {
		if c.EventID == again[i].EventID || c.SessionID == again[i].SessionID {
			t.Fatalf("another run has the same id %s", c.EventID)
		}
	}
	for i, named := range data(Config{Seed: 1, Run: "a", Shop: "books", Active: 5}) {
		if strings.Replace(named, `"shop":"books",`, "", 1) != first[i] || named == first[i] {
			t.Fatalf("with a shop, event %d is %s, without %s", i, named, first[i])
		}
	}
	if slices.Equal(first, data(Config{Seed: 2, Run: "a", Active: 5})) {
		t.Error("another seed gave the same events")
	}
}

// TestVisitorsFollowTheirTastes compares what customers look at with what others look at, by
// planted affinity.
func TestVisitorsFollowTheirTastes(t *testing.T) {
	t.Parallel()
	planted, products := mustPlanted(t)
	likes, _ := mustLikes(t)
	for name, g := range map[string]guide{"planted": planted, "likes": likes} {
		own, other, n := 0.0, 0.0, 0
		for _, c := range mustClicks(t, Config{Seed: 1, Active: 20}, products, g, 4000) {
			var e struct {
				CustomerID    int `json:"customer_number"`
				BrowseHistory []struct {
					ProductCode string `json:"product_code"`
				} `json:"browse_history"`
			}
			if err := json.Unmarshal(c.Data, &e); err != nil {
				t.Fatal(err)
			}
			if e.CustomerID == 0 || len(e.BrowseHistory) == 0 {
				continue
			}
			code := e.BrowseHistory[len(e.BrowseHistory)-1].ProductCode
			mine := planted.shop.Affinity(strconv.Itoa(e.CustomerID), code)
			theirs := planted.shop.Affinity(strconv.Itoa(101+(e.CustomerID+37)%180), code)
			if mine == 0 || theirs == 0 {
				continue // a newcomer
			}
			own, other, n = own+mine, other+theirs, n+1
		}
		if n < 1000 || own/float64(n) < other/float64(n)+0.3 {
			t.Errorf("%s: mean affinity of %d clicks %.2f, of a stranger for the same products %.2f", name, n, own/float64(n),
				other/float64(n))
		}
	}
}

func TestVisitorsWaitForTheirPageAndReactToIt(t *testing.T) {
	t.Parallel()
	g, products := mustPlanted(t)
	crowd, err := New(Config{Seed: 1, Active: 3, Patience: time.Minute}, products, g)
	if err != nil {
		t.Fatal(err)
	}
	var waiting []Click
	for range 3 {
		c, clicked, err := crowd.Next(noon)
		if err != nil || !clicked {
			t.Fatalf("clicked %v, error %v", clicked, err)
		}
		waiting = append(waiting, c)
	}
	if c, clicked, err := crowd.Next(noon.Add(59 * time.Second)); clicked || err != nil {
		t.Fatalf("somebody did not wait: %s, error %v", c.Data, err)
	}
	if !crowd.Show(waiting[1].EventID, []string{"A"}) || crowd.Show(waiting[1].EventID, []string{"A"}) ||
		crowd.Show("nobody", nil) {
		t.Error("a page is seen once, by the one who waits for it")
	}
	if _, clicked, _ := crowd.Next(noon.Add(59 * time.Second)); !clicked || crowd.Totals().Shown != 1 {
		t.Errorf("nobody went on after their page: %+v", crowd.Totals())
	}
	if _, clicked, _ := crowd.Next(noon.Add(2 * time.Minute)); !clicked || crowd.Totals().Shown != 1 {
		t.Errorf("nobody lost patience, or saw a page then: %+v", crowd.Totals())
	}
}

// TestBetterPagesAreLookedAtMore shows the same sessions their ceiling, the same products the other
// way round, and nothing.
func TestBetterPagesAreLookedAtMore(t *testing.T) {
	t.Parallel()
	g, products := mustPlanted(t)
	crowd, err := New(Config{Seed: 1}, products, g)
	if err != nil {
		t.Fatal(err)
	}
	shop := func(page func(s *Session) []string) (hits, pages int, first []string) {
		for n := range 400 {
			s := crowd.Session(n + 1)
			for {
				c, err := s.Event(noon)
				if err != nil {
					t.Fatal(err)
				}
				if s.events == 1 {
					first = append(first, string(c.Data))
				}
				r := s.React(page(s))
				pages++
				if r.Place > 0 {
					hits++
				}
				if r.Left {
					break
				}
			}
		}
		return hits, pages, first
	}
	best, pagesOfBest, first := shop(func(s *Session) []string { return s.Ceiling(10) })
	upside, _, again := shop(func(s *Session) []string {
		codes := s.Ceiling(10)
		slices.Reverse(codes)
		return codes
	})
	none, pagesOfNone, _ := shop(func(*Session) []string { return nil })
	if !slices.Equal(first, again) {
		t.Error("the same sessions began otherwise")
	}
	if none != 0 || upside < 100 || best < upside*11/10 || pagesOfBest <= pagesOfNone {
		t.Errorf("%d looks on %d pages for the ceiling, %d upside down, %d on %d empty pages", best, pagesOfBest, upside,
			none, pagesOfNone)
	}
}

func TestPoorShops(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}, nil, NewLikes(nil, nil, nil)); !errors.Is(err, ErrEmptyShop) {
		t.Errorf("no products: %v", err)
	}
	one := []shop.Product{{Code: "A"}}
	for _, c := range mustClicks(t, Config{Seed: 1}, one, NewLikes(nil, one, nil), 50) {
		if !json.Valid(c.Data) {
			t.Errorf("not JSON: %s", c.Data)
		}
	}
}

func TestNobodyComesForWhatTheyHave(t *testing.T) {
	t.Parallel()
	p, _ := mustPlanted(t)
	customer := p.customers()[0]
	best := p.visit(customer).(*plantedTaste).best(3)
	p.Own(customer.ID, best[:1])
	p.Own(customer.ID, best[1:2])
	taste := p.visit(customer).(*plantedTaste)
	if now := taste.best(1); now[0] != best[2] {
		t.Errorf("they would look at %v, want %s", now, best[2])
	}
	for i := range uint64(2000) {
		if code := taste.idea(rand.New(rand.NewPCG(i, 1))); slices.Contains(best[:2], code) ||
			slices.Contains(p.shop.RatedBy(customer.ID), code) {
			t.Fatalf("they come for %s, which they have", code)
		}
	}
}
