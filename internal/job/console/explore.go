package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"kindred/internal/job/console/plot"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

const (
	foundProducts  = 24 // on a page
	foundCustomers = 12
	shownPast      = 20
	// asked is how far down an answer "why not" looks.
	asked = activity.MaxAnswer
)

// offer is a recommended product, with what a person sees of it.
type offer struct {
	vectorstore.Sight
	Score    float32
	Explored bool
	Bar      plot.Stack
	Because  string // the name of the product that it is recommended for
	Place    int
	Parts    []part // what the score is the sum of; nil: not asked
	Before   int    // its place in another answer; 0: it has none there
	Hidden   bool   // a filter hides it
}

// part is something that adds to a score.
type part struct {
	What  string
	Score float32
}

// neighbour is a similar product.
type neighbour struct {
	vectorstore.Sight
	Distance float32
}

// explorePage is a search.
type explorePage struct {
	Text     string
	Products []vectorstore.Sight
	Customer bool     // there is a customer of this id
	Some     []string // customers whose ids begin with the text
}

// productPage is a product with its neighbours.
type productPage struct {
	vectorstore.Sight
	Similar []neighbour
	Version string
}

// shownAnswer is an answer with the products' names.
type shownAnswer struct {
	Offers  []offer
	Source  activity.Source
	Version string
}

var errNoDatabase = errors.New("PGVECTOR_DSN is not set: there is no vector database to ask")

func (s *server) explore(ctx context.Context, query string) (p explorePage, err error) {
	p.Text = query
	if s.from.db == nil {
		return p, errNoDatabase
	}
	if !searchable(query) {
		return p, nil
	}
	if p.Products, err = s.from.db.FindProducts(ctx, query, foundProducts); err != nil {
		return p, err
	}
	if p.Some, err = s.from.db.SomeCustomers(ctx, query, foundCustomers); err == nil {
		p.Customer = slices.Contains(p.Some, query)
	}
	return p, err
}

// searchable says whether the database can be asked for a text.
func searchable(query string) bool { return text.Check(query, text.MaxID) == nil }

// answer asks what serving would answer, and looks the products up.
func (s *server) answer(ctx context.Context, of *recommend.Recommender, event *activity.Event) (shown shownAnswer,
	err error) {
	answers, err := of.Batch(ctx, []*activity.Event{event})
	if err != nil {
		return shown, err
	}
	a := answers[0]
	shown.Source, shown.Version = a.Source, a.ModelVersion
	var ids []string
	for _, item := range a.Items {
		ids = append(ids, item.ID, item.Because)
	}
	names, err := s.names(ctx, ids)
	if err != nil {
		return shown, err
	}
	scale := 0.0
	for _, item := range a.Items {
		scale = max(scale, float64(item.Score))
	}
	for i, item := range a.Items {
		o := offer{Sight: names[item.ID], Score: item.Score, Explored: item.Explored, Place: i + 1,
			Because: names[item.Because].Name, Bar: plot.Stack{Scale: scale}}
		if i < len(a.Explanations) {
			o.Parts = partsOf(a.Explanations[i])
		}
		for _, p := range o.Parts {
			o.Bar.Parts = append(o.Bar.Parts, float64(p.Score))
		}
		if len(o.Parts) == 0 {
			o.Bar.Parts = []float64{float64(item.Score)}
		}
		shown.Offers = append(shown.Offers, o)
	}
	return shown, nil
}

// partsOf lists what a score is the sum of, what a customer did in one part. Their order is always the same, so that
// a part of the bar always has the same colour.
func partsOf(e recommend.Explanation) []part {
	session := float32(0)
	for _, p := range e.Products {
		session += p.Score
	}
	return []part{{"their taste", e.Customer}, {"like what they did", e.CustomerNeighbours}, {"this session", session},
		{"how many like it", e.Popularity}, {"boosts", e.Boosts}}
}

// names looks products up. One that nobody knows has its id only.
func (s *server) names(ctx context.Context, ids []string) (map[string]vectorstore.Sight, error) {
	seen, err := s.from.db.Look(ctx, ids)
	if err != nil {
		return nil, err
	}
	names := make(map[string]vectorstore.Sight, len(ids))
	for _, id := range ids {
		names[id] = vectorstore.Sight{ID: id, Name: id}
	}
	names[""] = vectorstore.Sight{}
	for _, one := range seen {
		if one.Name == "" {
			one.Name = one.ID
		}
		names[one.ID] = one
	}
	return names, nil
}

func (s *server) product(ctx context.Context, id string) (p productPage, err error) {
	if s.from.db == nil {
		return p, errNoDatabase
	}
	found, err := s.from.db.Look(ctx, []string{id})
	if err != nil {
		return p, err
	}
	if len(found) == 0 {
		return p, errNoProduct
	}
	p.Sight = found[0]
	similar, err := s.from.recommender.Similar(ctx, id, nil, nil)
	if errors.Is(err, recommend.ErrUnknownProduct) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Version = similar.ModelVersion
	ids := make([]string, len(similar.Items.SimilarItems))
	for i, item := range similar.Items.SimilarItems {
		ids[i] = item.ID
	}
	names, err := s.names(ctx, ids)
	for _, item := range similar.Items.SimilarItems {
		p.Similar = append(p.Similar, neighbour{names[item.ID], item.Distance})
	}
	return p, err
}

var errNoProduct = errors.New("neither the live version nor the shop's state knows this product")

func (s *server) showExplore(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.explore(ctx, strings.TrimSpace(r.URL.Query().Get("q")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "explore.html", page{Title: "Explorer", Section: "/explore", Body: p})
}

func (s *server) showProduct(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.product(ctx, r.URL.Query().Get("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "product.html", page{Title: p.Name, Section: "/explore", Body: p})
}
