package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// beside is how many products of each version a comparison shows. It knows their places among the first
// activity.MaxAnswer of the other version.
const beside = 10

// comparePage is what two versions recommend to one customer.
type comparePage struct {
	ID       string // of the customer; empty: nobody was chosen
	Versions []string
	Some     []string // customers to begin with
	Sides    []side   // two, or none
	Shared   int      // products among the first of both
}

// side is the answer of one version.
type side struct {
	Version string
	Own     *modelversion.Row // how good it is; nil: not measured
	Answer  shownAnswer
	Offers  []offer // the first ones
}

var errOneVersion = errors.New("two versions must be loaded to compare them: train and publish another one, or " +
	"start a canary")

// compare asks two versions for a customer. Without names, these are the live version and the one before it, or
// the newest other one.
func (s *server) compare(ctx context.Context, id, a, b string) (p comparePage, err error) {
	if p.ID = id; s.from.db == nil {
		return p, errNoDatabase
	}
	loaded, err := s.from.db.Versions(ctx)
	if err != nil {
		return p, err
	}
	loaded = slices.DeleteFunc(loaded, func(v vectorstore.Version) bool { return v.State != vectorstore.StateReady })
	for _, v := range loaded {
		p.Versions = append(p.Versions, v.ID)
	}
	if len(loaded) < 2 {
		return p, errOneVersion
	}
	a, b = chosen(loaded, a, b)
	if !slices.Contains(p.Versions, a) || !slices.Contains(p.Versions, b) {
		return p, errUnknown
	}
	for _, v := range loaded {
		if v.ID == a || v.ID == b {
			p.Sides = append(p.Sides, side{Version: v.ID, Own: v.Report.Own()})
		}
	}
	if len(p.Sides) == 2 && p.Sides[0].Version != a {
		slices.Reverse(p.Sides)
	}
	if p.Some, err = s.from.db.SomeCustomers(ctx, "", foundCustomers); err != nil || id == "" {
		return p, err
	}
	if text.CheckID(id) != nil {
		return p, errUnknownCustomer
	}
	return p, s.ask(ctx, &p)
}

// chosen fills in the versions that nobody has named.
func chosen(loaded []vectorstore.Version, a, b string) (first, second string) {
	is := func(what func(v vectorstore.Version) bool) string {
		if i := slices.IndexFunc(loaded, what); i >= 0 {
			return loaded[i].ID
		}
		return ""
	}
	if a == "" {
		if a = is(func(v vectorstore.Version) bool { return v.Live && v.ID != b }); a == "" {
			a = is(func(v vectorstore.Version) bool { return v.ID != b })
		}
	}
	if b == "" || b == a {
		if b = is(func(v vectorstore.Version) bool { return v.Previous && v.ID != a }); b == "" {
			b = is(func(v vectorstore.Version) bool { return v.ID != a })
		}
	}
	return a, b
}

// ask fills in the answers of both sides.
func (s *server) ask(ctx context.Context, p *comparePage) error {
	customer, limit := activity.ID(p.ID), activity.MaxAnswer
	for i := range p.Sides {
		of := &p.Sides[i]
		var err error
		of.Answer, err = s.answer(ctx, recommend.New(pinned{onlooker{s.from.db}, of.Version}),
			&activity.Event{CustomerID: &customer, Control: &activity.Control{Limit: &limit}})
		if err != nil {
			return fmt.Errorf("ask version %s: %w", of.Version, err)
		}
	}
	for i := range p.Sides {
		of := &p.Sides[i]
		moved(of.Answer.Offers, p.Sides[1-i].Answer.Offers)
		of.Offers = of.Answer.Offers[:min(beside, len(of.Answer.Offers))]
	}
	for _, o := range p.Sides[0].Offers {
		if o.Before > 0 && o.Before <= beside {
			p.Shared++
		}
	}
	return nil
}

func (s *server) showCompare(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	q := r.URL.Query()
	p, err := s.compare(ctx, strings.TrimSpace(q.Get("id")), q.Get("a"), q.Get("b"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "compare.html", page{Title: "Two versions", Section: "/models", Body: p})
}
