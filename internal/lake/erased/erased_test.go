package erased

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/golden"
)

const secret = "a secret of the tests"

// Whoever was put on the list is on it, in whatever portions; nobody else is; and the list holds no id.
func TestTheListKnowsWhomItWasGiven(t *testing.T) {
	t.Parallel()
	ids := rapid.StringMatching(`[a-z0-9 é]{4,12}`)
	rapid.Check(t, func(rt *rapid.T) {
		lake := objectstore.NewFolder(t.TempDir())
		given := map[string][]string{}
		for range rapid.IntRange(1, 4).Draw(rt, "portions") {
			customers := rapid.SliceOfN(ids, 0, 5).Draw(rt, "customers")
			sessions := rapid.SliceOfN(ids, 0, 5).Draw(rt, "sessions")
			if _, _, err := Add(t.Context(), lake, secret, customers, sessions); err != nil {
				rt.Fatal(err)
			}
			given["customer"], given["session"] = append(given["customer"], customers...), append(given["session"], sessions...)
		}
		list, err := Read(t.Context(), lake, secret)
		if err != nil {
			rt.Fatal(err)
		}
		for _, id := range append(slices.Concat(given["customer"], given["session"]), ids.Draw(rt, "another")) {
			customer, session := slices.Contains(given["customer"], id), slices.Contains(given["session"], id)
			if list.Customer(id) != customer || list.Session(id) != session {
				rt.Fatalf("%q: customer %v, session %v", id, list.Customer(id), list.Session(id))
			}
			if list.Row("", id) != session || list.Row(id, "") != customer || list.Row(id, id) != customer {
				rt.Fatalf("the rows of %q", id)
			}
		}
		if list.Len() == 0 {
			return
		}
		data, _, err := objectstore.ReadAll(t.Context(), lake, listKey)
		if err != nil {
			rt.Fatal(err)
		}
		for _, id := range slices.Concat(given["customer"], given["session"]) {
			if strings.ContainsFunc(id, func(c rune) bool { return c > 'f' }) && bytes.Contains(data, []byte(id)) {
				rt.Fatalf("the list holds %q", id)
			}
		}
	})
}

func TestNobodyIsOnAListThatIsNotThere(t *testing.T) {
	t.Parallel()
	list, err := Read(t.Context(), objectstore.NewFolder(t.TempDir()), "")
	if err != nil || list != nil || list.Row("7", "s") || list.Len() != 0 || !list.Newest().IsZero() {
		t.Errorf("%v, %v", list, err)
	}
}

// A program that cannot read the list must not go on as if nobody had been erased.
func TestAListNeedsItsSecret(t *testing.T) {
	t.Parallel()
	lake := objectstore.NewFolder(t.TempDir())
	if _, _, err := Add(t.Context(), lake, "short", []string{"7"}, nil); !errors.Is(err, envconfig.ErrConfig) {
		t.Errorf("a short secret: %v", err)
	}
	if _, _, err := Add(t.Context(), lake, secret, []string{"7"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"", "short", secret + "!"} {
		_, err := Read(t.Context(), lake, other)
		_, _, addErr := Add(t.Context(), lake, other, []string{"8"}, nil)
		if !errors.Is(err, envconfig.ErrConfig) || !errors.Is(addErr, envconfig.ErrConfig) {
			t.Errorf("with the secret %q: %v, %v", other, err, addErr)
		}
		if err != nil && other != "" && strings.Contains(err.Error(), other) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
	for _, damaged := range []string{"{", `{"format":2}`, `{"format":1,"key":"` + (&List{secret: []byte(secret)}).key() +
		`","erased":[{"mark":"7"}]}`} {
		if _, err := lake.Put(t.Context(), listKey, strings.NewReader(damaged), int64(len(damaged)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), lake, secret); err == nil {
			t.Errorf("%s was read", damaged)
		}
	}
}

func TestWhoAddsAtTheSameTimeLosesNothing(t *testing.T) {
	t.Parallel()
	lake := objectstore.NewFolder(t.TempDir())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if _, _, err := Add(t.Context(), lake, secret, []string{fmt.Sprint(i)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	list, err := Read(t.Context(), lake, secret)
	if err != nil || list.Len() != 8 {
		t.Errorf("%d of 8 are on the list, %v", list.Len(), err)
	}
}

func TestGoldenList(t *testing.T) {
	t.Parallel()
	list := &List{secret: []byte(secret), marks: map[mark]time.Time{}}
	list.marks[list.mark(customerMark, "103")] = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	list.marks[list.mark(sessionMark, "s-1")] = time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)
	data, err := list.encode()
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "list.json", data)
}
