package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardwriter"
)

const (
	shelf        = 12  // products beside the strip
	mostVisitors = 200 // of the storefront; older ones are forgotten
	mostHistory  = 50  // products of a session
	sendTime     = 5 * time.Second
)

// What a visitor may do.
const (
	doView = "view"
	doCart = "cart"
	doBuy  = "buy"
)

// visitor is somebody in the storefront, as their own window has them.
type visitor struct {
	ID       string
	Customer string // empty: a guest
	History  []activity.Browse
	Sent     []sent // newest first
	seen     time.Time
}

// sent is an event that the storefront sent.
type sent struct {
	ID   string
	At   time.Time
	What string
}

// visitors are those of the storefront. It is safe for concurrent use.
type visitors struct {
	mu  sync.Mutex
	all map[string]*visitor
}

// with calls use with the visitor, who is made if nobody has this id.
func (v *visitors) with(id string, use func(*visitor)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.all == nil {
		v.all = map[string]*visitor{}
	}
	one := v.all[id]
	if one == nil {
		one = &visitor{ID: id}
		v.all[id] = one
	}
	one.seen = time.Now()
	use(one)
	if len(v.all) > mostVisitors {
		oldest := one
		for _, other := range v.all {
			if other.seen.Before(oldest.seen) {
				oldest = other
			}
		}
		delete(v.all, oldest.ID)
	}
}

// copied is the visitor as they are now.
func (v *visitors) copied(id string) (one visitor) {
	v.with(id, func(found *visitor) {
		one = *found
		one.History, one.Sent = slices.Clone(found.History), slices.Clone(found.Sent)
	})
	return one
}

// did notes what a visitor did with a product, and returns the event that says so.
func (v *visitor) did(action, product string, now time.Time) (event []byte, err error) {
	at := slices.IndexFunc(v.History, func(b activity.Browse) bool { return string(b.ProductCode) == product })
	one := activity.Browse{ProductCode: activity.ID(product), Quantity: 1}
	if at >= 0 {
		one = v.History[at]
		v.History = slices.Delete(v.History, at, at+1)
	}
	one.InShoppingCart = one.InShoppingCart && action != doBuy || action == doCart
	one.Purchased = one.Purchased || action == doBuy
	v.History = append(v.History, one)
	v.History = v.History[max(0, len(v.History)-mostHistory):]
	id := "shop-" + strings.ToLower(rand.Text()[:16])
	v.Sent = append([]sent{{ID: id, At: now, What: action + " " + product}}, v.Sent...)
	return v.event(id, now)
}

// event is the visitor's session as an activity event.
func (v *visitor) event(id string, now time.Time) ([]byte, error) {
	e := map[string]any{"session_id": v.ID, "browse_history": append([]activity.Browse{}, v.History...),
		"occurred_at": now.UTC().Format(time.RFC3339Nano)}
	if id != "" {
		e["event_id"] = id
	}
	if v.Customer != "" {
		e["customer_number"] = v.Customer
	}
	return json.Marshal(e)
}

// shopPage is the storefront of a visitor.
type shopPage struct {
	visitor
	Text      string
	Strip     shownAnswer
	Shelf     []vectorstore.Sight
	Browsed   []browsed // newest first
	MayClick  bool
	Delivered int64 // lines, as the feed counts them
}

// browsed is a product of the session, with its name.
type browsed struct {
	activity.Browse
	Name string
}

func (s *server) shop(ctx context.Context, id, query string) (p shopPage, err error) {
	p.visitor, p.Text, p.MayClick = s.visitors.copied(id), query, !s.readOnly
	p.Delivered = s.from.feed.Counts().Answers
	if s.from.db == nil {
		return p, errNoDatabase
	}
	data, err := p.event("", s.now())
	if err != nil {
		return p, err
	}
	event, err := activity.Parse(data)
	if err != nil {
		return p, err
	}
	if p.Strip, err = s.answer(ctx, s.from.recommender, event); err != nil {
		return p, err
	}
	if searchable(query) {
		if p.Shelf, err = s.from.db.FindProducts(ctx, query, shelf); err != nil {
			return p, err
		}
	}
	ids := make([]string, len(p.History))
	for i, b := range p.History {
		ids[i] = string(b.ProductCode)
	}
	names, err := s.names(ctx, ids)
	for _, b := range slices.Backward(p.History) {
		p.Browsed = append(p.Browsed, browsed{b, names[string(b.ProductCode)].Name})
	}
	return p, err
}

func (s *server) showShop(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id := query.Get("visitor")
	if text.CheckID(id) != nil {
		http.Redirect(w, r, "/shop?visitor="+newVisitor(), http.StatusSeeOther)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.shop(ctx, id, strings.TrimSpace(query.Get("q")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "shop.html", page{Title: "Storefront", Section: "/shop", Body: p})
}

func newVisitor() string { return "visitor-" + strings.ToLower(rand.Text()[:10]) }

// act is what a visitor does: it changes their session, and sends the event that says so.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	id, product, action := r.PostFormValue("visitor"), r.PostFormValue("product"), r.PostFormValue("action")
	problem := ""
	switch action {
	case doView, doCart, doBuy:
		if text.CheckID(id) != nil || text.CheckID(product) != nil {
			problem = "The form names no visitor, or no product."
		}
	case "be":
		product = strings.TrimSpace(r.PostFormValue("customer"))
		if text.CheckID(id) != nil || product != "" && text.CheckID(product) != nil {
			problem = "This is no customer's id."
		}
	default:
		problem = "Nobody can do this in the storefront."
	}
	if problem != "" {
		s.refuse(w, r, http.StatusUnprocessableEntity, problem)
		return
	}
	if err := s.acted(r.Context(), id, product, action); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/shop?visitor="+url.QueryEscape(id), http.StatusSeeOther)
}

func (s *server) acted(ctx context.Context, id, product, action string) (err error) {
	if action == "be" {
		s.visitors.with(id, func(v *visitor) { v.Customer = product })
		return nil
	}
	var data []byte
	s.visitors.with(id, func(v *visitor) { data, err = v.did(action, product, s.now()) })
	if err != nil || s.from.kinesis == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	writer := s.from.kinesis()
	writer.Add(shardwriter.Record{Key: id, Data: data})
	for writer.Pending() > 0 {
		if _, err := writer.Flush(ctx); err != nil {
			return fmt.Errorf("send the event: %w", err)
		}
	}
	return nil
}
