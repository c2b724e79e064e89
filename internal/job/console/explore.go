package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"kindred/internal/job/console/plot"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

const (
	foundProducts = 24 // on a page
	shownPast     = 20
	// asked is how far down an answer "why not" looks.
	asked = activity.MaxAnswer
)

// offer is a recommended product, with what a person sees of it.
type offer struct {
	vectorstore.Sight
	Score    float32
	Explored bool
	Bar      plot.Interval
	Because  string // the name of the product that it is recommended for
	Place    int
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
	Customer bool // there is a customer of this id
}

// productPage is a product with its neighbours.
type productPage struct {
	vectorstore.Sight
	Similar []neighbour
	Version string
}

// customerPage is a customer with their answer.
type customerPage struct {
	ID     string
	Known  bool
	Past   []deed
	Total  int
	Answer shownAnswer
	Why    *whyNot
}

// deed is what a customer did, with the product's name.
type deed struct {
	vectorstore.Past
	Name string
}

// shownAnswer is an answer with the products' names.
type shownAnswer struct {
	Offers  []offer
	Source  activity.Source
	Version string
}

// whyNot says why a product is not in an answer.
type whyNot struct {
	Product  string
	Name     string
	Sentence string
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
	if query != "" {
		_, _, p.Customer, err = s.from.db.CustomerPast(ctx, query, 1)
	}
	return p, err
}

// searchable says whether the database can be asked for a text.
func searchable(query string) bool { return text.Check(query, text.MaxID) == nil }

// answer asks what serving would answer, and looks the products up.
func (s *server) answer(ctx context.Context, event *activity.Event) (shown shownAnswer, err error) {
	answers, err := s.from.recommender.Batch(ctx, []*activity.Event{event})
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
		shown.Offers = append(shown.Offers, offer{Sight: names[item.ID], Score: item.Score, Explored: item.Explored,
			Place: i + 1, Because: names[item.Because].Name, Bar: plot.Interval{Value: float64(item.Score), Scale: scale}})
	}
	return shown, nil
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
	similar, err := s.from.recommender.Similar(ctx, id, nil)
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

func (s *server) customer(ctx context.Context, id, why string) (p customerPage, err error) {
	p.ID = id
	if s.from.db == nil {
		return p, errNoDatabase
	}
	if err := text.CheckID(id); err != nil {
		return p, errUnknownCustomer
	}
	found, total, known, err := s.from.db.CustomerPast(ctx, id, shownPast)
	if err != nil {
		return p, err
	}
	p.Total, p.Known = total, known
	ids := make([]string, len(found))
	for i, one := range found {
		ids[i] = one.Product
	}
	names, err := s.names(ctx, ids)
	if err != nil {
		return p, err
	}
	for _, one := range found {
		p.Past = append(p.Past, deed{one, names[one.Product].Name})
	}
	customer := activity.ID(id)
	if p.Answer, err = s.answer(ctx, &activity.Event{CustomerID: &customer}); err != nil || why == "" {
		return p, err
	}
	p.Why, err = s.whyNot(ctx, &activity.Event{CustomerID: &customer}, why)
	return p, err
}

var errUnknownCustomer = errors.New("this is no customer's id")

// whyNot finds out why a product is not shown: the rules first, in their order, then its place.
func (s *server) whyNot(ctx context.Context, event *activity.Event, product string) (*whyNot, error) {
	why := &whyNot{Product: product, Name: product}
	found, err := s.from.db.Look(ctx, []string{product})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		why.Sentence = "Neither the live version nor the shop's state knows this product."
		return why, nil
	}
	sight := found[0]
	why.Name = sight.Name
	limit := asked
	event.Control = &activity.Control{Limit: &limit}
	answers, err := s.from.recommender.Batch(ctx, []*activity.Event{event})
	if err != nil {
		return nil, err
	}
	for i, item := range answers[0].Items {
		if item.ID == product {
			why.Sentence = "It is at place " + grouped(float64(i+1), 0) + " of what this customer is recommended."
			return why, nil
		}
	}
	past, _, _, err := s.from.db.CustomerPast(ctx, string(*event.CustomerID), asked*asked)
	if err != nil {
		return nil, err
	}
	did := false
	for _, one := range past {
		did = did || one.Product == product
	}
	switch {
	case sight.Hidden:
		why.Sentence = "It is hidden: an event said that it must not be recommended."
	case !sight.Buyable():
		why.Sentence = "It cannot be bought now, so nobody is recommended it."
	case !sight.Known:
		why.Sentence = "The live version does not know it: it was trained before the product was there. New products are " +
			"shown in the places that explore."
	case did:
		why.Sentence = "This customer has rated or bought it before, and the version's rules hide it."
	default:
		why.Sentence = "It may be shown, but at least " + grouped(asked, 0) + " products fit this customer better."
	}
	return why, nil
}

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

func (s *server) showCustomer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.customer(ctx, r.URL.Query().Get("id"), strings.TrimSpace(r.URL.Query().Get("why")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "customer.html", page{Title: "Customer", Section: "/explore", Body: p})
}
