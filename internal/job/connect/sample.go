package connect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/checksum"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

const (
	samples      = 5 // people in the account
	sampleOwns   = 3 // products of theirs that it names
	sampleShows  = 3 // products that they would see
	telling      = 2 // products somebody must have before they are worth showing
	samplePrefix = "connect-sample-"
)

// Sample is what somebody would see now.
type Sample struct {
	Customer string          `json:"customer,omitempty"` // id; empty: a visitor who looks at one product
	Has      []string        `json:"has"`                // names of some products that they have, or look at
	Shown    []string        `json:"shown"`              // names of the best products for them
	Source   activity.Source `json:"source"`
}

// text is a few lines for a person.
func (s Sample) text() string {
	who, has := "Customer "+s.Customer+" has", s.Has
	if s.Customer == "" {
		who = "A visitor looks at"
	}
	return fmt.Sprintf("%s %s\n  and sees %s\n", who, listed(has), listed(s.Shown))
}

// listed writes names in one line, whatever line breaks and control characters the shop has in them.
func listed(names []string) string {
	var all []string
	for _, name := range names {
		words := strings.FieldsFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, "; ")
}

// sample asks the live version for some customers, as a page would. A shop without customers is asked
// for visitors of its most popular products.
func (r *run) sample(ctx context.Context) error {
	artifacts, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", r.Artifacts.Bucket)
	if err != nil {
		return err
	}
	v, err := modelfile.Read(ctx, commit.NewRepository(artifacts, envconfig.ModelPrefix), r.result.ModelVersion, "")
	if err != nil {
		return fmt.Errorf("read the version that is live: %w", err)
	}
	store, err := vectorstore.OpenAs(ctx, r.PGVector, awsclient.Environment)
	if err != nil {
		return fmt.Errorf("ask the live version: %w", err)
	}
	defer store.Close()
	people := customersOf(v)
	if len(people) == 0 {
		people = visitorsOf(v)
	}
	events := make([]*activity.Event, len(people))
	for i, p := range people {
		events[i] = p.event(i)
	}
	answers, err := recommend.New(store).Batch(ctx, events)
	if err != nil {
		return fmt.Errorf("ask the live version: %w", err)
	}
	names := make(map[string]string, len(v.Items))
	for _, item := range v.Items {
		names[item.Code] = cmp.Or(item.Name, item.Code)
	}
	for i, p := range people {
		s := Sample{Customer: p.customer, Source: answers[i].Source}
		for _, code := range p.products[:min(len(p.products), sampleOwns)] {
			s.Has = append(s.Has, names[code])
		}
		for _, item := range answers[i].Items[:min(len(answers[i].Items), sampleShows)] {
			s.Shown = append(s.Shown, names[item.ID])
		}
		r.result.Samples = append(r.result.Samples, s)
	}
	return nil
}

// person is who is asked for: a customer with what they have, or a visitor who looks at a product.
type person struct {
	customer string
	products []string // codes
}

func (p person) event(number int) *activity.Event {
	e := &activity.Event{SessionID: fmt.Sprint(samplePrefix, number)}
	if p.customer != "" {
		id := activity.ID(p.customer)
		e.CustomerID = &id
		return e
	}
	for _, code := range p.products {
		e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(code), Quantity: 1})
	}
	return e
}

// customersOf draws a few customers by a hash, of those who have some products if there are any.
func customersOf(v *modelversion.Version) []person {
	var all []person
	for _, c := range v.Customers {
		if len(c.Rated) >= telling {
			all = append(all, person{customer: c.ID, products: c.Rated})
		}
	}
	slices.SortFunc(all, func(a, b person) int {
		return cmp.Compare(checksum.Bytes([]byte(a.customer)), checksum.Bytes([]byte(b.customer)))
	})
	return all[:min(len(all), samples)]
}

// visitorsOf are visitors of the most popular products.
func visitorsOf(v *modelversion.Version) []person {
	items := slices.Clone(v.Items)
	slices.SortStableFunc(items, func(a, b modelversion.Item) int { return cmp.Compare(b.Positives, a.Positives) })
	var all []person
	for _, item := range items[:min(len(items), samples)] {
		all = append(all, person{products: []string{item.Code}})
	}
	return all
}
