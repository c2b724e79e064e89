package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"kindred/internal/job/verify"
	"kindred/internal/lab/replay"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/localstack/settings"
)

// shortRun is too short to say how long changes take.
const shortRun = 20

// stateSeconds: go test ./integration -run TestStateCountsAtOnceUnderLoad -v -state-seconds 120
var stateSeconds = flag.Int("state-seconds", shortRun,
	"seconds of load while products sell out; above 20 at 200 events/s, and the times are checked")

// busyShop is a shop with a live model, its function, its serve, and visitors.
type busyShop struct {
	catalogue
	*sightings

	base   string // of serve
	stream string
	client *kinesis.Client
	models *commit.Repository
	out    objectstore.Store // of recommendations
	until  time.Time         // nothing new begins then
	ctx    context.Context   // ends when all is done, or something failed
	stop   context.CancelFunc
	sent   atomic.Int64
	shops  chan stock // what the next catalogue has to say
}

// stock is that of a product in the shop's own tables.
type stock struct {
	product string
	left    int
	said    chan<- time.Time // when the catalogue's program started
}

const (
	busyLines, itemsOfLine = 4, 20 // of recommendtest.Version
	// customers c0000, c0001, …: the first ones visit, of the others each buys once
	busyCustomers, visiting = 2000, 100
	buyers                  = 8 // at a time
)

// busyCustomer is the id of a customer, in the order in which versions have them.
func busyCustomer(i int) string { return fmt.Sprintf("c%04d", i) }

// busyVersion knows many customers, which like one line each, and encodes new products.
func busyVersion(n int) *modelversion.Version {
	v := encodes(fmt.Sprintf("m78%013d", n))
	for i := range busyCustomers {
		vector := make([]float32, v.Solver.Dim)
		vector[i%busyLines] = 0.4
		v.Customers = append(v.Customers, modelversion.Customer{ID: busyCustomer(i),
			Origin: modelversion.OriginTrained, Vector: vector})
	}
	return v
}

// mustBusyShop makes everything but the load.
func mustBusyShop(t *testing.T) *busyShop {
	t.Helper()
	stack := mustStack(t)
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	b := &busyShop{catalogue: mustCatalogue(t, 0), sightings: newSightings(), stream: own.Stream.Name,
		client: kinesis.NewFromConfig(stack.AWS), shops: make(chan stock, 100)}
	first := busyVersion(1)
	for _, it := range first.Items {
		mustExec(t, b.shop, fmt.Sprintf("INSERT INTO goods VALUES ('%s', '%s', 10, 5, 'red')", it.Code, it.Name))
	}
	delete(b.env, "AWS_ENDPOINT_URL")
	env := mustPlacesOf(t, stack, b.env["MYSQL_DSN"], own, b.env)
	env["WAIT_CONNECT"] = "1m" // the load is the test's own, and others'
	b.programs = mustPrograms(t, env, "publish", "replay", "verify")
	client := awsclient.S3(stack.AWS)
	b.models = commit.NewRepository(objectstore.NewS3(client, own.Buckets.Artifacts.Name, ""), envconfig.ModelPrefix)
	b.out = objectstore.NewS3(client, own.Buckets.Recommendations.Name, "")
	b.mustTrain(t, first)
	b.mustRun(t, nil, "publish")
	b.mustRead(t)
	var variables []string
	for name, value := range env {
		variables = append(variables, name+"="+value)
	}
	b.base = mustServe(t, b.vector, variables...)
	b.ctx, b.stop = context.WithCancel(t.Context())
	t.Cleanup(b.stop)
	return b
}

// mustTrain writes a version as train does.
func (b *busyShop) mustTrain(t *testing.T, v *modelversion.Version) {
	t.Helper()
	if _, err := modelfile.Write(t.Context(), b.models, v, t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

// put sends an event and returns when.
func (b *busyShop) put(t *testing.T, key, fields string) time.Time {
	t.Helper()
	said := time.Now()
	data := fmt.Appendf(nil, `{"event_id":"own %d",%s}`, b.sent.Add(1), fields)
	if _, err := b.client.PutRecord(t.Context(),
		&kinesis.PutRecordInput{StreamName: &b.stream, PartitionKey: &key, Data: data}); err != nil {
		t.Errorf("send %s: %v", data, err)
	}
	return said
}

// sayByEvent says the stock of a product on the stream, and sayByCatalogue in the shop's tables.
func (b *busyShop) sayByEvent(t *testing.T, product string, left int) time.Time {
	t.Helper()
	return b.put(t, product, fmt.Sprintf(`"type":"product","product_code":%q,"stock":%d`, product, left))
}

func (b *busyShop) sayByCatalogue(_ *testing.T, product string, left int) time.Time {
	said := make(chan time.Time, 1)
	b.shops <- stock{product, left, said}
	select {
	case at := <-said:
		return at
	case <-b.ctx.Done():
		return time.Now()
	}
}

// catalogues runs `publish catalogue` whenever the shop has changed.
func (b *busyShop) catalogues(t *testing.T) (runs int) {
	for {
		var all []stock
		select {
		case s := <-b.shops:
			all = append(all, s)
		case <-b.ctx.Done():
			return runs
		}
		for len(b.shops) > 0 {
			all = append(all, <-b.shops)
		}
		for _, s := range all {
			mustExec(t, b.shop, fmt.Sprintf("UPDATE goods SET stock = %d WHERE id = '%s'", s.left, s.product))
		}
		said := time.Now()
		b.mustRead(t)
		runs++
		for _, s := range all {
			s.said <- said
		}
	}
}

// moves takes versions live and back, and lets the gate refuse one, over and over.
func (b *busyShop) moves(t *testing.T) (rounds int) {
	refused := busyVersion(0)
	refused.Report.Verdict = modelversion.NewVerdict(modelversion.OutcomeRefused, modelversion.WithBaselines, "made up")
	b.mustTrain(t, refused)
	b.mustTrain(t, busyVersion(2))
	for rounds == 0 || b.ctx.Err() == nil {
		next, canary := busyVersion(2+rounds), busyVersion(3+rounds)
		b.mustTrain(t, canary)
		b.mustRun(t, nil, "publish", next.ID)
		b.programs.wantRefused(t, "publish", refused.ID)
		b.mustRun(t, nil, "publish", "canary", canary.ID, "--share", "0.5")
		b.mustRun(t, nil, "publish", "rollback")
		rounds++
	}
	return rounds
}

// visit replays so many events a second, each of a session with one product, and returns how many it has sent,
// and how many a second.
func (b *busyShop) visit(t *testing.T, rate int) (sent int, perSecond float64) {
	const seconds = 5 // of one part
	begin := time.Now()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	for b.ctx.Err() == nil {
		var events strings.Builder
		for i := sent; i < sent+seconds*rate; i++ {
			line := i % busyLines
			fmt.Fprintf(&events, `{"session_id":"load %d %d","event_id":"load %d","customer_number":%q,`+
				`"browse_history":[{"product_code":"L%d_07"}]}`+"\n", line, i, i, busyCustomer(i%visiting), line)
		}
		if err := os.WriteFile(file, []byte(events.String()), 0o600); err != nil {
			t.Errorf("write events: %v", err)
			break
		}
		var r replay.Result
		b.mustRun(t, &r, "replay", "file", file, "--rate", strconv.Itoa(rate))
		sent += r.EventsSent
	}
	return sent, float64(sent) / time.Since(begin).Seconds()
}

// held are the products of an answer: what is recommended, and what is similar.
type held struct {
	Recommended []activity.RecommendedItem `json:"recommended_items"`
	Similar     *activity.SimilarItems     `json:"similar_items"`
}

func (h held) recommended() (codes []string) {
	for _, it := range h.Recommended {
		codes = append(codes, it.ID)
	}
	return codes
}

func similar(s *activity.SimilarItems) (codes []string) {
	if s == nil {
		return nil
	}
	for _, it := range s.SimilarItems {
		codes = append(codes, it.ID)
	}
	return codes
}

// ask asks serve for the products of one line in every way, until all is done.
func (b *busyShop) ask(t *testing.T, line int) {
	way := lineOf("serve", line)
	for i := 0; b.ctx.Err() == nil; i++ {
		var session, customer held
		var near activity.SimilarItems
		mustAskJSON(t, http.MethodPost, b.base+"/recommendations", fmt.Sprintf(
			`{"session_id":"asked %d %d","browse_history":[{"product_code":"L%d_07"}]}`, line, i, line), &session)
		b.add(way, time.Now(), append(session.recommended(), similar(session.Similar)...))
		b.add("serve, top ten", time.Now(), session.recommended())
		mustGetJSON(t, b.base+"/customers/"+busyCustomer(line+busyLines*i%visiting)+"/recommendations", &customer)
		b.add(way, time.Now(), customer.recommended())
		b.add("serve, top ten", time.Now(), customer.recommended())
		mustGetJSON(t, fmt.Sprintf("%s/products/L%d_07/similar?limit=50", b.base, line), &near)
		b.add(way, time.Now(), similar(&near))
		b.add("serve, similar", time.Now(), similar(&near))
		b.pause(50 * time.Millisecond)
	}
}

// lineOf is the way of asking for a line of products.
func lineOf(by string, line int) string { return fmt.Sprintf("%s, line %d", by, line) }

// pause waits, unless all is done.
func (b *busyShop) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.ctx.Done():
	}
}

// deliveries reads the function's records as they are delivered, until all is done.
func (b *busyShop) deliveries(t *testing.T) {
	read := map[string]bool{}
	for b.ctx.Err() == nil {
		for info, err := range b.out.List(t.Context(), envconfig.RecommendationPrefix) {
			if err != nil {
				t.Errorf("list the records: %v", err)
				return
			}
			if !read[info.Key] {
				read[info.Key] = true
				b.delivered(t, info.Key)
			}
		}
		b.pause(300 * time.Millisecond)
	}
}

// delivered notes the answers of an object. Their times are those at which the function made them.
func (b *busyShop) delivered(t *testing.T, key string) {
	t.Helper()
	data, _, err := objectstore.ReadAll(t.Context(), b.out, key)
	if err != nil {
		t.Errorf("read records: %v", err)
	}
	for data := range bytes.Lines(data) {
		record, err := activity.ParseRecord(data)
		var event struct {
			SessionID string `json:"session_id"`
		}
		if err == nil {
			err = json.Unmarshal(record.Event, &event)
		}
		if err != nil {
			t.Errorf("read record %s: %v", data, err)
			continue
		}
		h, at := held{record.RecommendedItems, record.SimilarItems}, record.Recommendation.GeneratedAt
		var line int
		if _, err := fmt.Sscanf(event.SessionID, "load %d", &line); err == nil {
			b.add(lineOf("λ", line), at, append(h.recommended(), similar(h.Similar)...))
			b.add("λ, top ten", at, h.recommended())
		} else {
			b.add("λ, "+event.SessionID, at, h.recommended())
		}
	}
}

// wait waits until something is so. It reports false when that does not happen, or all is over.
func (b *busyShop) wait(t *testing.T, what string, is func() bool) bool {
	t.Helper()
	for deadline := time.Now().Add(cleanupTime); !is(); b.pause(20 * time.Millisecond) {
		if b.ctx.Err() != nil {
			return false
		}
		if time.Now().After(deadline) {
			t.Errorf("after %v it is not so: %s", cleanupTime, what)
			return false
		}
	}
	return true
}

// more says whether there is time for another change. There always is for the first one.
func (b *busyShop) more(done int) bool { return done == 0 || time.Now().Before(b.until) }

// customersLeft says whether a buyer has a customer for another purchase.
func customersLeft(worker, done int) bool { return visiting+worker+done*buyers < busyCustomers }

// sellOut sells a product out and brings it back, over and over. Before each time, answers of all ways hold it.
func (b *busyShop) sellOut(t *testing.T, by string, line int, product string,
	say func(t *testing.T, product string, left int) time.Time) {
	c := news{limit: 2 * time.Second, where: map[string]sight{
		"sold out by " + by + ", λ":     {lineOf("λ", line), product},
		"sold out by " + by + ", serve": {lineOf("serve", line), product}}}
	var back time.Time
	for n := 0; b.more(n); n++ {
		if !b.wait(t, product+" is back", func() bool { return b.everywhere(c.where, back) }) {
			return
		}
		c.said = say(t, product, 0)
		if !b.wait(t, product+" is in no answer", func() bool { return b.happened(c) }) {
			return
		}
		b.note(c)
		back = say(t, product, 5)
	}
}

// sellOutForGood sells a product out. From the moment on when it is gone no answer may hold it.
func (b *busyShop) sellOutForGood(t *testing.T, line int, product string,
	say func(t *testing.T, product string, left int) time.Time) {
	c := news{where: map[string]sight{"λ": {lineOf("λ", line), product}, "serve": {lineOf("serve", line), product}}}
	if !b.wait(t, product+" is shown", func() bool { return b.everywhere(c.where, c.said) }) {
		return
	}
	c.said = say(t, product, 0)
	if !b.wait(t, product+" is in no answer", func() bool { return b.happened(c) }) {
		if b.ctx.Err() != nil {
			t.Errorf("%s was sold out for good, and was still shown when the load ended", product)
		}
		return
	}
	gone := time.Now()
	<-b.ctx.Done()
	for by, x := range c.where {
		if b.since(x, gone) {
			t.Errorf("%s was sold out for good, and %s had it again", product, by)
		}
	}
}

// list adds new products of a line, one after the other.
func (b *busyShop) list(t *testing.T, line int) {
	for n := 0; b.more(n); n++ {
		product := fmt.Sprintf("new %d %d", line, n)
		c := news{limit: 5 * time.Second, comes: true, where: map[string]sight{
			"new product, similar over HTTP":  {"serve, similar", product},
			"new product, a top ten of serve": {"serve, top ten", product},
			"new product, a top ten of λ":     {"λ, top ten", product}}}
		c.said = b.put(t, product, fmt.Sprintf(`"type":"product","product_code":%q,"brand":"%d","stock":5`, product, line))
		if !b.wait(t, product+" is similar and in top tens", func() bool { return b.happened(c) }) {
			return
		}
		b.note(c)
		b.put(t, product, fmt.Sprintf(`"type":"product","product_code":%q,"hidden":true`, product))
	}
}

// buy lets one customer after the other buy in session A what is recommended to them also in session B.
func (b *busyShop) buy(t *testing.T, worker int, reserved []string) {
	for n := 0; b.more(n) && customersLeft(worker, n); n++ {
		number := visiting + worker + n*buyers
		customer := busyCustomer(number)
		var c news
		product, asked := "", 0
		ask := func() { // in all ways, on the stream more seldom
			if asked%4 == 0 {
				b.put(t, customer, fmt.Sprintf(`"session_id":"B %s","customer_number":%q,"browse_history":[]`, customer, customer))
			}
			asked++
			b.askFor(t, customer)
			b.pause(80 * time.Millisecond)
		}
		if !b.wait(t, customer+" is recommended the same product in all ways", func() bool {
			ask()
			for i := range itemsOfLine {
				product = fmt.Sprintf("L%d_%02d", number%busyLines, i)
				c = news{limit: 2 * time.Second, where: map[string]sight{
					"bought in session A, GET":              {"GET " + customer, product},
					"bought in session A, session B, serve": {"POST " + customer, product},
					"bought in session A, session B, λ":     {"λ, B " + customer, product}}}
				if !slices.Contains(reserved, product) && b.everywhere(c.where, c.said) {
					return true
				}
			}
			return false
		}) {
			return
		}
		c.said = b.put(t, customer, fmt.Sprintf(`"session_id":"A %s","customer_number":%q,"browse_history":[`+
			`{"product_code":%q,"quantity":1,"purchased":true}]`, customer, customer, product))
		if !b.wait(t, customer+" is no longer recommended "+product, func() bool { ask(); return b.happened(c) }) {
			return
		}
		b.note(c)
	}
}

// askFor asks serve for a customer, and for their session B.
func (b *busyShop) askFor(t *testing.T, customer string) {
	t.Helper()
	var get, post held
	mustGetJSON(t, b.base+"/customers/"+customer+"/recommendations", &get)
	b.add("GET "+customer, time.Now(), get.recommended())
	mustAskJSON(t, http.MethodPost, b.base+"/recommendations",
		fmt.Sprintf(`{"session_id":"B %s","customer_number":%q,"browse_history":[]}`, customer, customer), &post)
	b.add("POST "+customer, time.Now(), post.recommended())
}

// TestStateCountsAtOnceUnderLoad says on the stream and in the shop's tables what is sold out, bought and new,
// over and over, while visitors come, and versions are published, refused, tried as a canary and rolled
// back. The answers of λ and serve follow each time. A long run checks how soon.
func TestStateCountsAtOnceUnderLoad(t *testing.T) {
	t.Parallel()
	b, long := mustBusyShop(t), *stateSeconds > shortRun
	rate := 40
	if long {
		rate = 200
	}
	b.until = time.Now().Add(time.Duration(*stateSeconds) * time.Second)
	var best [busyLines][]string // products
	for line := range best {
		var session held
		mustAskJSON(t, http.MethodPost, b.base+"/recommendations",
			fmt.Sprintf(`{"session_id":"first %d","browse_history":[{"product_code":"L%d_07"}]}`, line, line), &session)
		best[line] = session.recommended()[:5]
	}
	var always, changing sync.WaitGroup // what goes on until all is done, and what changes until then
	start := func(group *sync.WaitGroup, work func()) {
		group.Go(func() {
			defer func() { // also where a helper ends the goroutine
				if t.Failed() {
					b.stop()
				}
			}()
			work()
		})
	}
	var rounds, catalogues, visitors int
	var perSecond float64
	start(&always, func() { visitors, perSecond = b.visit(t, rate) })
	start(&always, func() { rounds = b.moves(t) })
	start(&always, func() { catalogues = b.catalogues(t) })
	start(&always, func() { b.deliveries(t) })
	for line, products := range best {
		start(&always, func() { b.ask(t, line) })
		start(&changing, func() { b.list(t, line) })
		start(&changing, func() { b.sellOut(t, "an event", line, products[0], b.sayByEvent) })
		start(&changing, func() { b.sellOut(t, "an event", line, products[1], b.sayByEvent) })
		start(&changing, func() { b.sellOut(t, "publish catalogue", line, products[2], b.sayByCatalogue) })
		start(&changing, func() { b.sellOut(t, "publish catalogue", line, products[3], b.sayByCatalogue) })
		say := b.sayByEvent
		if line%2 == 1 {
			say = b.sayByCatalogue
		}
		start(&always, func() { b.sellOutForGood(t, line, products[4], say) })
	}
	for worker := range buyers {
		start(&changing, func() { b.buy(t, worker, slices.Concat(best[:]...)) })
	}
	changing.Wait()
	b.stop()
	always.Wait()
	t.Logf("%d events of visitors, %.0f a second, and %d others; %d catalogues; %d times published, refused, tried as a "+
		"canary and rolled back", visitors, perSecond, b.sent.Load(), catalogues, rounds)
	if t.Failed() {
		return
	}
	b.report(t, long)
	if long && perSecond < 0.9*float64(rate) { // each part of the load begins with a start of replay
		t.Errorf("want %d events of visitors a second", rate)
	}
	var r verify.Report
	b.mustRun(t, &r, "verify", "--wait", catchUp.String())
	mustHold(t, r, visitors+int(b.sent.Load()), 0)
}
