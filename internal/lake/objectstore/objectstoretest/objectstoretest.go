// Package objectstoretest is the conformance suite of objectstore.Store: what every store promises,
// as tests. Unit tests run it on a folder, package integration on S3.
package objectstoretest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"kindred/internal/lake/objectstore"
)

// racers is how many writers meet at one key.
const racers = 16

// Run tests a store. open gives an empty store of its own to each test.
func Run(t *testing.T, open func(t *testing.T) objectstore.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, store objectstore.Store)
	}{
		{"an absent key is ErrNotFound", testAbsent},
		{"what was put is what is read", testRoundTrip},
		{"a part is what lies there", testRange},
		{"a put is from the start of its body", testPutFromStart},
		{"if-none-match writes an absent key only", testIfNoneMatch},
		{"if-match writes the known content only", testIfMatch},
		{"a list is in key order and keeps to its prefix", testList},
		{"a delete removes and may be repeated", testDelete},
		{"a bad key is refused", testBadKey},
		{"of racing creators exactly one wins", testRaceCreate},
		{"of racing replacers exactly one wins", testRaceReplace},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func testAbsent(t *testing.T, store objectstore.Store) {
	if _, _, err := store.Get(t.Context(), "no/such"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get: error %v, want ErrNotFound", err)
	}
	mustPut(t, store, "a/b", "x", objectstore.Condition{})
	if _, _, err := store.Get(t.Context(), "a/b/c"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get below an object: error %v, want ErrNotFound", err)
	}
	if _, _, err := store.Get(t.Context(), "a"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get above an object: error %v, want ErrNotFound", err)
	}
}

func testRoundTrip(t *testing.T, store objectstore.Store) {
	for _, content := range []string{"", "one", strings.Repeat("kindred ", 100_000)} {
		put := mustPut(t, store, "dir/ключ=1.json", content, objectstore.Condition{})
		got, info, err := objectstore.ReadAll(t.Context(), store, "dir/ключ=1.json")
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != content {
			t.Errorf("read %d bytes, want the %d that were put", len(got), len(content))
		}
		if info.Size != int64(len(content)) || info.ETag != put.ETag || info.ETag == "" || info.Modified.IsZero() ||
			info.Key != put.Key {
			t.Errorf("info %+v after put %+v of %d bytes", info, put, len(content))
		}
	}
}

func testRange(t *testing.T, store objectstore.Store) {
	if _, err := store.GetRange(t.Context(), "no/such", 0, 1); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("of an absent key: error %v, want ErrNotFound", err)
	}
	const content = "0123456789"
	mustPut(t, store, "a/b", content, objectstore.Condition{})
	for _, part := range []struct {
		offset, size int64
		want         string
	}{{0, 10, content}, {0, 1, "0"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 1, ""}, {50, 5, ""}} {
		got, err := store.GetRange(t.Context(), "a/b", part.offset, part.size)
		if err != nil || string(got) != part.want {
			t.Errorf("%d bytes at %d are %q, %v; want %q", part.size, part.offset, got, err, part.want)
		}
	}
}

func testPutFromStart(t *testing.T, store objectstore.Store) {
	body := strings.NewReader("whole")
	if _, err := body.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), "k", body, 5, objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, store, "whole")
}

func testIfNoneMatch(t *testing.T, store objectstore.Store) {
	mustPut(t, store, "k", "first", objectstore.Condition{IfNoneMatch: true})
	_, err := put(t, store, "k", "second", objectstore.Condition{IfNoneMatch: true})
	if !errors.Is(err, objectstore.ErrPrecondition) {
		t.Errorf("second create: error %v, want ErrPrecondition", err)
	}
	wantContent(t, store, "first")
}

func testIfMatch(t *testing.T, store objectstore.Store) {
	first := mustPut(t, store, "k", "first", objectstore.Condition{})
	if _, err := put(t, store, "absent", "x", objectstore.Condition{IfMatch: first.ETag}); !errors.Is(err,
		objectstore.ErrPrecondition) {
		t.Errorf("replace of an absent key: error %v, want ErrPrecondition", err)
	}
	second := mustPut(t, store, "k", "second", objectstore.Condition{IfMatch: first.ETag})
	if first.ETag == second.ETag {
		t.Errorf("two contents have the ETag %s", first.ETag)
	}
	if _, err := put(t, store, "k", "third", objectstore.Condition{IfMatch: first.ETag}); !errors.Is(err,
		objectstore.ErrPrecondition) {
		t.Errorf("replace of an old ETag: error %v, want ErrPrecondition", err)
	}
	wantContent(t, store, "second")
}

func testList(t *testing.T, store objectstore.Store) {
	for _, key := range []string{"a/b/2", "a/b/10", "a/b-c", "a/c", "b", "a/b/1"} {
		mustPut(t, store, key, key, objectstore.Condition{})
	}
	tests := map[string][]string{
		"":      {"a/b-c", "a/b/1", "a/b/10", "a/b/2", "a/c", "b"},
		"a/b/":  {"a/b/1", "a/b/10", "a/b/2"},
		"a/b/1": {"a/b/1", "a/b/10"},
		"a/b":   {"a/b-c", "a/b/1", "a/b/10", "a/b/2"},
		"none/": nil,
	}
	for prefix, want := range tests {
		var got []string
		for info, err := range store.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != int64(len(info.Key)) {
				t.Errorf("list %q: %s has %d bytes", prefix, info.Key, info.Size)
			}
			got = append(got, info.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("list %q = %q, want %q", prefix, got, want)
		}
	}
}

func testDelete(t *testing.T, store objectstore.Store) {
	mustPut(t, store, "k", "x", objectstore.Condition{})
	for range 2 {
		if err := store.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := store.Get(t.Context(), "k"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get after delete: error %v, want ErrNotFound", err)
	}
	mustPut(t, store, "k", "again", objectstore.Condition{IfNoneMatch: true})
	mustPut(t, store, "a/b", "x", objectstore.Condition{})
	for _, absent := range []string{"a", "a/b/c"} {
		if err := store.Delete(t.Context(), absent); err != nil {
			t.Errorf("Delete of %s, which is absent: %v", absent, err)
		}
	}
}

func testBadKey(t *testing.T, store objectstore.Store) {
	for _, key := range []string{"", "/a", "a//b", "a/", "../a", "a/./b", "a\x00b", "a\xffb"} {
		if _, err := put(t, store, key, "x", objectstore.Condition{}); err == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}

func testRaceCreate(t *testing.T, store objectstore.Store) {
	winner := race(t, store, objectstore.Condition{IfNoneMatch: true})
	wantContent(t, store, winner)
}

func testRaceReplace(t *testing.T, store objectstore.Store) {
	old := mustPut(t, store, "k", "old", objectstore.Condition{})
	winner := race(t, store, objectstore.Condition{IfMatch: old.ETag})
	wantContent(t, store, winner)
}

// race lets all racers put their own content at one key and returns the one winner's.
func race(t *testing.T, store objectstore.Store, cond objectstore.Condition) string {
	t.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, racers)
	for i := range racers {
		group.Go(func() {
			<-start
			_, errs[i] = put(t, store, "k", fmt.Sprintf("racer %d", i), cond)
		})
	}
	close(start)
	group.Wait()
	var winners []string
	for i, err := range errs {
		switch {
		case err == nil:
			winners = append(winners, fmt.Sprintf("racer %d", i))
		case !errors.Is(err, objectstore.ErrPrecondition):
			t.Errorf("racer %d: error %v, want ErrPrecondition", i, err)
		}
	}
	if len(winners) != 1 {
		t.Fatalf("winners %q, want exactly one", winners)
	}
	return winners[0]
}

func put(t *testing.T, store objectstore.Store, key, content string,
	cond objectstore.Condition) (objectstore.Info, error) {
	t.Helper()
	return store.Put(t.Context(), key, bytes.NewReader([]byte(content)), int64(len(content)), cond)
}

func mustPut(t *testing.T, store objectstore.Store, key, content string, cond objectstore.Condition) objectstore.Info {
	t.Helper()
	info, err := put(t, store, key, content, cond)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// wantContent reads the object k, which most tests use.
func wantContent(t *testing.T, store objectstore.Store, want string) {
	t.Helper()
	got, _, err := objectstore.ReadAll(t.Context(), store, "k")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("k holds %q, want %q", got, want)
	}
}
