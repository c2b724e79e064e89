package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// customerPage is a customer with their answer.
type customerPage struct {
	ID     string
	Origin string // where their vector comes from, in a sentence
	Past   []deed
	Total  int
	Answer shownAnswer
	Try    tried
	Why    *whyNot
}

// deed is what a customer did, with the product's name.
type deed struct {
	vectorstore.Past
	Name string
}

// whyNot says why a product is not in an answer.
type whyNot struct {
	Product  string
	Name     string
	Sentence string
}

var errUnknownCustomer = errors.New("this is no customer's id")

// question is what somebody asks of a customer's page.
type question struct {
	customer string
	why      string // a product's id or name; empty: none
	wishes   wishes
}

func (s *server) customer(ctx context.Context, q question) (p customerPage, err error) {
	p.ID = q.customer
	if s.from.db == nil {
		return p, errNoDatabase
	}
	if err := text.CheckID(q.customer); err != nil {
		return p, errUnknownCustomer
	}
	found, total, _, err := s.from.db.CustomerPast(ctx, q.customer, shownPast)
	if err != nil {
		return p, err
	}
	p.Total = total
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
	known, err := s.known(ctx, q.customer)
	if err != nil {
		return p, err
	}
	p.Origin = origins[known.Customers[q.customer].Origin]
	customer := activity.ID(q.customer)
	p.Answer, err = s.answer(ctx, s.from.recommender,
		&activity.Event{CustomerID: &customer, Control: &activity.Control{Explain: true}})
	if err != nil {
		return p, err
	}
	if p.Try, err = s.try(ctx, customer, q.wishes, p.Answer); err != nil || q.why == "" {
		return p, err
	}
	p.Why, err = s.whyNot(ctx, q, known)
	return p, err
}

// origins say where a customer's vector comes from.
var origins = map[modelversion.Origin]string{
	modelversion.OriginTrained: "The live version knows them. Their vector was trained on what they did.",
	modelversion.OriginFeatures: "The live version knows them, but nothing that they did. Their vector is made from " +
		"what the shop knows of them, such as their country.",
	"": "The live version does not know them, so they have no vector: they see what most customers like, until a " +
		"session says more.",
}

// known is what the store has of a customer.
func (s *server) known(ctx context.Context, customer string) (found recommend.Lookup, err error) {
	traffic, err := s.from.recommender.Traffic(ctx)
	if err != nil {
		return found, err
	}
	return s.from.db.Lookup(ctx, traffic.Live, nil, []string{customer}, nil, activity.Order{})
}

// whyNot finds out why a product is not shown: the rules first, in their order, then its place.
func (s *server) whyNot(ctx context.Context, q question, known recommend.Lookup) (*whyNot, error) {
	sight, err := s.named(ctx, q.why)
	if err != nil {
		return nil, err
	}
	why := &whyNot{Product: q.why, Name: q.why}
	if sight.ID == "" {
		why.Sentence = "Neither the live version nor the shop's state knows this product."
		return why, nil
	}
	why.Product, why.Name = sight.ID, sight.Name
	customer, limit := activity.ID(q.customer), asked
	control, err := q.wishes.control()
	if err != nil {
		control = &activity.Control{} // the page says what is wrong with the wishes
	}
	control.Limit = &limit
	answers, err := s.from.recommender.Batch(ctx, []*activity.Event{{CustomerID: &customer, Control: control}})
	var query *recommend.QueryError
	if errors.As(err, &query) {
		why.Sentence = said(query) + "."
		return why, nil
	}
	if err != nil {
		return nil, err
	}
	items := answers[0].Items
	if i := slices.IndexFunc(items, func(it activity.RecommendedItem) bool { return it.ID == sight.ID }); i >= 0 {
		why.Sentence = "It is at place " + grouped(float64(i+1), 0) + " of what this customer is recommended."
		return why, nil
	}
	if why.Sentence, err = s.hides(ctx, q, sight, known); err != nil || why.Sentence != "" {
		return why, err
	}
	alone, err := s.from.recommender.Rerank(ctx, &activity.Event{CustomerID: &customer}, []string{sight.ID})
	if err != nil {
		return nil, err
	}
	why.Sentence = "No rule hides it, but " + grouped(float64(len(items)), 0) + " products fit this customer better."
	if len(alone.Items) > 0 && len(items) > 0 {
		why.Sentence += " Its score is " + grouped(float64(alone.Items[0].Score), 4) + ", that of the last one of them " +
			grouped(float64(items[len(items)-1].Score), 4) + "."
	}
	return why, nil
}

// named is the product of this id, or else the most liked one whose name has the text; without an id: there is none.
func (s *server) named(ctx context.Context, text string) (sight vectorstore.Sight, err error) {
	if !searchable(text) {
		return sight, nil
	}
	found, err := s.from.db.FindProducts(ctx, text, 1)
	if err != nil || len(found) == 0 {
		return sight, err
	}
	if sight = found[0]; sight.Name == "" {
		sight.Name = sight.ID
	}
	return sight, nil
}

// hides says which rule hides a product from a customer; empty: none.
func (s *server) hides(ctx context.Context, q question, sight vectorstore.Sight, known recommend.Lookup) (string,
	error) {
	switch {
	case sight.Hidden:
		return "It is hidden: an event said that it must not be recommended.", nil
	case !sight.Buyable():
		return "It cannot be bought now, so nobody is recommended it.", nil
	case slices.Contains(known.Said[q.customer].Hidden, sight.ID):
		return "This customer has hidden it: an event said so.", nil
	}
	past, _, _, err := s.from.db.CustomerPast(ctx, q.customer, asked*asked)
	if err != nil {
		return "", err
	}
	did := slices.ContainsFunc(past, func(one vectorstore.Past) bool { return one.Product == sight.ID }) ||
		slices.ContainsFunc(known.Bought[q.customer], func(one recommend.Bought) bool { return one.Product == sight.ID })
	if did {
		return "This customer has rated or bought it before, and the version's rules hide such products, at least for a " +
			"while.", nil
	}
	if q.wishes.Any() {
		traffic, err := s.from.recommender.Traffic(ctx)
		if err != nil {
			return "", err
		}
		placement, _ := traffic.Placements.Of(q.wishes.Placement)
		gone := []offer{{Sight: sight}}
		if err := s.reasons(ctx, activity.ID(q.customer), q.wishes.hiding(placement), gone); err != nil {
			return "", err
		}
		if gone[0].Hidden {
			return "The filter that you try hides it.", nil
		}
	}
	if !sight.Known {
		return "The live version does not know it: it was trained before the product was there. New products are " +
			"shown in the places that explore.", nil
	}
	return "", nil
}

func (s *server) showCustomer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	query := r.URL.Query()
	p, err := s.customer(ctx, question{customer: query.Get("id"), why: strings.TrimSpace(query.Get("why")),
		wishes: wishesOf(query)})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "customer.html", page{Title: "Customer", Section: "/explore", Body: p})
}
