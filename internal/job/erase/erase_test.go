package erase

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/inferred"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/shop"
)

const (
	secret    = "a secret of the tests"
	versionID = "m0123456789abcde"
)

var allKills = flag.Bool("all-kills", false, "kill an erasing after each of its writes")

// held is everything that a shop has, in folders.
type held struct {
	t       *testing.T
	folders map[bucket]*objectstore.Folder
	version *modelversion.Version
}

func mustHold(t *testing.T) *held {
	t.Helper()
	h := &held{t: t, folders: map[bucket]*objectstore.Folder{}}
	for _, b := range []bucket{lake, artifacts, recommendations} {
		h.folders[b] = objectstore.NewFolder(t.TempDir())
	}
	for n := range 2 { // the first one is not current any more
		h.trainingSet(n)
	}
	h.version = vectorstoretest.Version(versionID, 1, vectorstoretest.Shape{Items: 9, Customers: 9, RatedEach: 3, Dim: 4})
	h.version.Repeats = &modelversion.Repeats{}
	for i := range h.version.Customers {
		c := &h.version.Customers[i]
		c.Last, c.Count = make([]int64, len(c.Rated)), make([]int32, len(c.Rated))
		for k := range c.Rated {
			c.Last[k], c.Count[k] = int64(i), int32(i+1)
		}
	}
	repo := commit.NewRepository(h.folders[artifacts], envconfig.ModelPrefix)
	if _, err := modelfile.Write(t.Context(), repo, h.version, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	h.inferred()
	h.put(recommendations, "recommendations/1", line(5, "s5")+line(7, "s7")+"\n{broken \"customer_number\": 7\n"+
		line(0, "s7")+line(8, "s7"))
	h.put(recommendations, "recommendations/2", line(7, "s7"))
	h.put(recommendations, "recommendations-errors/1",
		`{"rawData":"`+base64.StdEncoding.EncodeToString([]byte(line(7, "s7")))+`"}`)
	h.put(recommendations, "quarantine/clicks/shard/1.json", quarantined(event(7, "s7")))
	h.put(recommendations, "quarantine/clicks/shard/2.json", quarantined(`{"session_id":"s7",`))
	h.put(recommendations, "quarantine/clicks/shard/3.json", quarantined(event(5, "s5")))
	h.put(recommendations, "aws/lambda/1", batch(event(7, "s7")))
	h.put(recommendations, "aws/lambda/2", batch(event(5, "s5"), event(7, "s7"),
		"["+event(7, "s7")+","+event(6, "s6")+"]"))
	h.put(artifacts, "fits/run=m1/export.json", "{}")
	return h
}

func (h *held) put(b bucket, key, content string) {
	h.t.Helper()
	if _, err := h.folders[b].Put(h.t.Context(), key, strings.NewReader(content), int64(len(content)),
		objectstore.Condition{}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) trainingSet(n int) {
	h.t.Helper()
	w := trainingset.NewWriter(h.t.TempDir(), trainingset.Keys{Customer: trainingset.Int32, Product: trainingset.Text})
	var customers []shop.Customer
	for i := range 9 {
		customers = append(customers, shop.Customer{ID: fmt.Sprint(i + 1), Name: fmt.Sprint("Name ", i+1)})
	}
	err := errors.Join(w.Customers(customers), w.Products([]shop.Product{{Code: "7"}}))
	for i := range int32(9) {
		err = errors.Join(err, w.Rating(trainingset.Rating{Customer: i, Stars: int8(n + 1), RatedAt: 1234}))
	}
	draft, closeErr := w.Close()
	draft.Details = map[string]any{"shop": "s",
		"examples": map[string]any{"a": []string{"rating of customer 7 for product \"x\""}}}
	_, _, commitErr := commit.NewRepository(h.folders[lake], envconfig.TrainingSetPrefix).Commit(h.t.Context(), draft)
	if err := errors.Join(err, closeErr, commitErr); err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) inferred() {
	h.t.Helper()
	dir := h.t.TempDir()
	w, err := inferred.Create(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	err = w.Add([]inferred.Row{{CustomerID: "5", Place: 1, ProductID: "7"}, {CustomerID: "7", Place: 1, ProductID: "x"}})
	files, closeErr := w.Close()
	_, _, commitErr := commit.NewRepository(h.folders[lake], envconfig.InferredPrefix).Commit(h.t.Context(),
		commit.Draft{Kind: inferred.Kind, SchemaFingerprint: inferred.SchemaFingerprint, Dir: dir, Files: files})
	if err := errors.Join(err, closeErr, commitErr); err != nil {
		h.t.Fatal(err)
	}
}

func event(customer int, session string) string {
	if customer == 0 {
		return fmt.Sprintf(`{"session_id":%q,"browse_history":[]}`, session)
	}
	return fmt.Sprintf(`{"session_id":%q,"customer_number":%d,"browse_history":[]}`, session, customer)
}

func line(customer int, session string) string {
	return strings.TrimSuffix(event(customer, session), "}") + `,"recommended_items":[],"recommendation":{"id":"r"}}` + "\n"
}

func quarantined(data string) string {
	return `{"reason":"schema","position":{"stream":"clicks","shard":"shard","sequence_number":"1","arrived_at":"2026-03-01T12:00:00Z"},"data":"` +
		base64.StdEncoding.EncodeToString([]byte(data)) + `"}`
}

func batch(events ...string) string {
	var list []string
	for i, e := range events {
		list = append(list, fmt.Sprintf(`{"kinesis":{"sequenceNumber":"%d","partitionKey":"p","approximateArrivalTimestamp":1772366400.1,"data":%q}}`,
			i+1, base64.StdEncoding.EncodeToString([]byte(e))))
	}
	payload, _ := json.Marshal(`{"Records":[` + strings.Join(list, ",") + `]}`)
	return `{"KinesisBatchInfo":{"shardId":"shard","startSequenceNumber":"1","endSequenceNumber":"9","streamArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/clicks"},"payload":` +
		string(payload) + `}`
}

func (h *held) job(wrap func(bucket, *objectstore.Folder) objectstore.Store) *job {
	j := &job{stores: map[bucket]objectstore.Store{}, clean: map[string]bool{}, sessions: map[string]bool{}}
	for b, folder := range h.folders {
		j.stores[b] = wrap(b, folder)
	}
	return j
}

func plain(_ bucket, folder *objectstore.Folder) objectstore.Store { return folder }

func command(customers ...string) *Command {
	return &Command{Customers: customers, Erasure: envconfig.Erasure{Secret: secret}}
}

// mustBeWithout checks that customer 7 and the session are nowhere, and that everybody else is as before.
func (h *held) mustBeWithout() {
	h.t.Helper()
	list, err := erased.Read(h.t.Context(), h.folders[lake], secret)
	if err != nil {
		h.t.Fatal(err)
	}
	j := h.job(plain)
	j.theirs, j.newest = list.Row, list.Newest().Add(time.Second)
	if err := j.look(h.t.Context(), false); err != nil || len(j.found) > 0 || len(j.unknown) > 0 {
		h.t.Errorf("there are %+v and unknown %v, %v", j.found, j.unknown, err)
	}
	v, err := modelfile.Read(h.t.Context(), commit.NewRepository(h.folders[artifacts], envconfig.ModelPrefix), versionID,
		h.t.TempDir())
	if err != nil {
		h.t.Fatal(err)
	}
	want := slices.DeleteFunc(slices.Clone(h.version.Customers),
		func(c modelversion.Customer) bool { return c.ID == "7" })
	same := slices.EqualFunc(v.Customers, want, func(a, b modelversion.Customer) bool {
		return a.ID == b.ID && slices.Equal(a.Vector, b.Vector) && slices.Equal(a.Rated, b.Rated) &&
			slices.Equal(a.Count, b.Count)
	})
	if !same || !slices.EqualFunc(v.Items, h.version.Items,
		func(a, b modelversion.Item) bool { return slices.Equal(a.Vector, b.Vector) }) {
		h.t.Error("the version differs in more than the customer")
	}
	repo := commit.NewRepository(h.folders[lake], envconfig.TrainingSetPrefix)
	m, err := repo.Current(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	set, err := trainingset.Read(h.t.Context(), repo, m, h.t.TempDir())
	if err != nil || len(set.Customers) != 8 || len(set.Interactions) != 8 || len(set.Products) != 1 {
		h.t.Errorf("the training set has %d customers and %d ratings, %v", len(set.Customers), len(set.Interactions), err)
	}
	data, _, err := objectstore.ReadAll(h.t.Context(), h.folders[recommendations], "recommendations/1")
	if err != nil || string(data) != line(5, "s5")+line(8, "s7") {
		h.t.Errorf("the records are %s, %v", data, err)
	}
	data, _, err = objectstore.ReadAll(h.t.Context(), h.folders[recommendations], "aws/lambda/2")
	if err != nil || bytes.Count(data, []byte("sequenceNumber")) != 2 {
		h.t.Errorf("the batch holds %s, %v", data, err)
	}
}

// mustGrep looks for a text in every file of the folders, whatever it is.
func (h *held) mustGrep(text string) {
	h.t.Helper()
	for _, folder := range h.folders {
		root := strings.TrimPrefix(folder.String(), "file://")
		err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			if bytes.Contains(data, []byte(text)) {
				h.t.Errorf("%s holds %q", name, text)
			}
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestErasingLeavesEverybodyElse(t *testing.T) {
	t.Parallel()
	h := mustHold(t)
	result, err := command("7").erase(t.Context(), h.job(plain))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Found) < 14 || result.Persons != 2 || result.Signature == "" {
		t.Errorf("%+v", result)
	}
	h.mustBeWithout()
	h.mustGrep("Name 7")
	again, err := command().erase(t.Context(), h.job(plain))
	if err != nil || len(again.Found) > 0 {
		t.Errorf("a second run found %+v, %v", again.Found, err)
	}
	h.put(recommendations, "recommendations/3", line(7, "s9")) // a function answered the stream again
	if again, err = command().erase(t.Context(), h.job(plain)); err != nil || len(again.Found) != 1 {
		t.Errorf("what came back: %+v, %v", again, err)
	}
}

// Killed after any write, an erasing is finished by a run without names.
func TestAnErasingThatWasKilledIsFinished(t *testing.T) {
	t.Parallel()
	step := 13
	if *allKills {
		step = 1
	}
	for kill := 1; ; kill += step {
		h := mustHold(t)
		var left atomic.Int64
		left.Store(int64(kill))
		_, killed := command("7").erase(t.Context(), h.job(func(_ bucket, f *objectstore.Folder) objectstore.Store {
			return &dyingStore{f, &left}
		}))
		if _, err := command().erase(t.Context(), h.job(plain)); err != nil {
			t.Fatalf("after %d writes: %v", kill, err)
		}
		h.mustBeWithout()
		if t.Failed() {
			t.Fatalf("after %d writes", kill)
		}
		if killed == nil {
			return
		}
	}
}

func TestALookChangesNothing(t *testing.T) {
	t.Parallel()
	h := mustHold(t)
	j := h.job(plain)
	j.theirs = func(customer, _ string) bool { return customer == "7" }
	if err := j.look(t.Context(), false); err != nil || len(j.found) == 0 || !j.sessions["s7"] {
		t.Fatalf("%v, %v", j.found, err)
	}
	clear(j.clean)
	found := len(j.found)
	if err := j.look(t.Context(), false); err != nil || len(j.found) != found {
		t.Errorf("a second look found %d, not %d", len(j.found), found)
	}
}

// dyingStore fails every write after some.
type dyingStore struct {
	*objectstore.Folder
	left *atomic.Int64
}

var errDead = errors.New("killed")

func (d *dyingStore) Put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond objectstore.Condition) (objectstore.Info, error) {
	if d.left.Add(-1) < 0 {
		return objectstore.Info{}, errDead
	}
	return d.Folder.Put(ctx, key, body, size, cond)
}

func (d *dyingStore) Delete(ctx context.Context, key string) error {
	if d.left.Add(-1) < 0 {
		return errDead
	}
	return d.Folder.Delete(ctx, key)
}
