package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"kindred/benchmarks/serenade"
	"kindred/internal/job/train"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity"
)

const (
	// customers visit in turn. Each has rated some products, and has bought others since.
	customers, ratedEach, boughtEach = 2000, 20, 3
	// neighboursEach is how many neighbours a product or a customer has, in a version with neighbours.
	neighboursEach = 100
	// requests differ, before they come again.
	requests = 20_000
	// longest is how many products a session has looked at at most.
	longest = 50
)

// clicks reads the click log, or makes one.
func (c *command) clicks() (*nextitem.Log, error) {
	if c.Clicks != "" {
		return train.ReadClicks(c.Clicks)
	}
	return made(c.Items, c.Sessions), nil
}

// made is a log: few products get most of the clicks, and a session stays near its first product.
func made(items, sessions int) *nextitem.Log {
	rng := rand.New(rand.NewPCG(1, 1))
	l := &nextitem.Log{Items: make([]string, items)}
	for i := range l.Items {
		l.Items[i] = fmt.Sprintf("%07d", i)
	}
	place := rng.Perm(items)
	for s := range sessions {
		var session nextitem.Session
		rank := int(float64(items) * math.Pow(rng.Float64(), 3))
		for k := range 1 + int(rng.ExpFloat64()*4) {
			near := min(max(rank+int(20*rng.NormFloat64()), 0), items-1)
			session.Items = append(session.Items, int32(place[near]))
			session.Times = append(session.Times, float64(1_600_000_000+60*s+k))
		}
		l.Sessions = append(l.Sessions, session)
	}
	return l
}

// visit is a click: of a session that looked at these products, the newest one last.
type visit struct {
	session string
	items   []int32
}

// visits are the clicks of sessions, one session after the other.
func visits(l *nextitem.Log) (all []visit) {
	for s, session := range l.Sessions {
		for k := range min(len(session.Items), longest) {
			if all = append(all, visit{fmt.Sprintf("s%d", s), session.Items[:k+1]}); len(all) == requests {
				return all
			}
		}
	}
	return all
}

func get(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
}

func post(path string, body []byte) []byte {
	return append(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n", path, len(body)), body...)
}

// serenadeRequests are the visits as Serenade takes them: it keeps the sessions itself.
func serenadeRequests(l *nextitem.Log) (all [][]byte) {
	for _, v := range visits(l) {
		all = append(all, get(serenade.Path("", v.session, serenade.Number(l, v.items[len(v.items)-1]))[len("http://"):]))
	}
	return all
}

// kindredRequests are the visits as activity events, each by a customer.
func kindredRequests(l *nextitem.Log, v *modelversion.Version) (all [][]byte, err error) {
	for i, visit := range visits(l) {
		event := activity.Event{SessionID: visit.session, CustomerID: (*activity.ID)(&v.Customers[i%len(v.Customers)].ID),
			Country: "France", City: "Nantes"}
		for _, item := range visit.items {
			event.BrowseHistory = append(event.BrowseHistory, activity.Browse{Quantity: 1,
				ProductCode: activity.ID(v.Items[item].Code)})
		}
		body, err := json.Marshal(event)
		if err != nil {
			return nil, err
		}
		all = append(all, post("/recommendations", body))
	}
	return all, nil
}

// version is one with made-up vectors for the products of the clicks: what an answer costs depends on their
// number and not on what they say.
func (c *command) version(l *nextitem.Log, id string, near bool) *modelversion.Version {
	v := vectorstoretest.Version(id, 1, vectorstoretest.Shape{Items: len(l.Items), Customers: customers,
		RatedEach: ratedEach, Dim: c.Dim})
	if near {
		recommendtest.AddNeighbours(v, 1, neighboursEach)
	}
	return v
}

// fill makes a version live in a database, with its files in the folder artifacts, the state of all
// products, and purchases of every customer.
func (c *command) fill(ctx context.Context, dsn, artifacts string, v *modelversion.Version) error {
	if err := os.RemoveAll(artifacts); err != nil {
		return err
	}
	repo := commit.NewRepository(objectstore.NewFolder(artifacts), envconfig.ModelPrefix)
	if _, err := modelfile.Write(ctx, repo, v, filepath.Dir(artifacts)); err != nil {
		return err
	}
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return err
	}
	if _, err := store.Load(ctx, v); err != nil {
		return err
	}
	read := vectorstore.Catalogue{ReadAt: time.Now(), Products: make([]vectorstore.Product, len(v.Items))}
	for i, item := range v.Items {
		stock := int64(item.QuantityInStock)
		read.Products[i] = vectorstore.Product{ID: item.Code, Name: item.Name, Available: stock > 0, Stock: &stock}
	}
	if _, err := store.WriteCatalogue(ctx, read, vectorstore.CatalogueOptions{MaxShrink: 1}); err != nil {
		return err
	}
	var bought []recommend.Purchase
	for i, customer := range v.Customers {
		for k := range boughtEach {
			bought = append(bought, recommend.Purchase{Customer: customer.ID, Session: fmt.Sprintf("earlier%d", k),
				Product: v.Items[(i*31+k*7)%len(v.Items)].Code, Order: activity.Order{At: time.Now()}})
		}
	}
	if err := store.WriteState(ctx, recommend.State{Purchases: bought}); err != nil {
		return err
	}
	return store.Promote(ctx, v.ID, vectorstore.PromoteOptions{Actor: "bench"})
}
