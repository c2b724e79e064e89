package activity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/envconfig"

	"pgregory.net/rapid"
)

func mustShops(t testing.TB, own string, all ...string) Shops {
	t.Helper()
	shops, err := NewShops(own, all)
	if err != nil {
		t.Fatal(err)
	}
	return shops
}

func TestEventBelongsToTheShopThatItNames(t *testing.T) {
	t.Parallel()
	const none, unknown = Reason(""), ReasonUnknownShop
	for data, want := range map[string]struct {
		shop   string
		reason Reason
	}{
		`{"shop":"toys","session_id":"s","browse_history":[]}`:       {"toys", none},
		`{"shop":7,"session_id":"s","browse_history":[]}`:            {"7", none},
		`{"shop":"\u0074oys","session_id":"s","browse_history":[]}`:  {"toys", none},
		`{"session_id":"s","browse_history":[]}`:                     {"books", none},
		`{"shop":null,"session_id":"s","browse_history":[]}`:         {"books", none},
		`{"shop":"Toys","session_id":"s","browse_history":[]}`:       {"books", unknown},
		`{"shop":"007","session_id":"s","browse_history":[]}`:        {"books", unknown},
		`{"a":{"shop":"toys"},"session_id":"s","browse_history":[]}`: {"books", none},
		`{"shop":"","session_id":"s","browse_history":[]}`:           {"books", ReasonSchema},
		`{"shop":{},"session_id":"s","browse_history":[]}`:           {"books", ReasonSchema},
		`{"Shop":"toys","session_id":"s","browse_history":[]}`:       {"books", ReasonSchema},
		`{"shop":"toys"}`: {"toys", ReasonSchema},
		`{"a":[1,{"b":2}],"shop":"toys","session_id":`: {"toys", ReasonNotJSON},
		`{"shop":"toys","shop":"7","session_id":"s"}`:  {"toys", ReasonNotIJSON},
		`{"x":"` + "\xff" + `","shop":"toys"}`:         {"toys", ReasonNotUTF8},
		`{"shop":"garden"}`:                            {"books", ReasonSchema},
		`{"shop":"to`:                                  {"books", ReasonNotJSON},
		`["shop","toys"]`:                              {"books", ReasonSchema},
		`nothing`:                                      {"books", ReasonNotJSON},
		``:                                             {"books", ReasonNotJSON},
	} {
		item := Read(nil, Position{}, []byte(data))[0]
		got := mustShops(t, "7", "books", "toys", "7").Of(&item)
		reason := none
		if item.Fault != nil {
			reason = item.Fault.Reason
		}
		if got != want.shop || reason != want.reason {
			t.Errorf("%s is of %s, fault %q, want %+v", data, got, reason, want)
		}
	}
}

// TestEveryEventHasOneShop asks the programs of all shops of a stream whose an event is: they agree,
// whatever the event holds. Only programs that know no shop take all.
func TestEveryEventHasOneShop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`), 1, 5, rapid.ID).Draw(t, "shops")
		named := rapid.OneOf(rapid.SampledFrom(all), rapid.StringN(0, -1, 130)).Draw(t, "named")
		data := rapid.OneOf(
			rapid.Just(fmt.Appendf(nil, `{"shop":%q,"session_id":"s","browse_history":[]}`, named)),
			rapid.SliceOf(rapid.Byte()),
			rapid.Just([]byte(gzipped(fmt.Sprintf(
				"{\"shop\":%q,\"session_id\":\"s\"}\n{\"session_id\":\"s\",\"browse_history\":[]}", named)))),
		).Draw(t, "data")
		cut := data[:rapid.IntRange(0, len(data)).Draw(t, "cut")]
		for _, item := range append(Read(nil, Position{}, data), Read(nil, Position{}, cut)...) {
			if got := (Shops{}).Of(&item); got != (Shops{}).Own() {
				t.Fatalf("a program without a shop: %q", got)
			}
			var owners []string
			for _, own := range all {
				shops, err := NewShops(own, all)
				if err != nil {
					t.Fatal(err)
				}
				copied := item
				if shops.Of(&copied) == shops.Own() {
					owners = append(owners, own)
				}
			}
			if len(owners) != 1 {
				t.Fatalf("%q is of %q, of the shops %q", item.Data, owners, all)
			}
		}
	})
}

func TestNewShopsChecksNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own   string
		all   []string
		fault string
	}{
		{"", nil, ""}, {"", []string{""}, ""}, {"books", nil, ""}, {"toys", []string{"books", "toys"}, ""},
		{"", []string{"books"}, "SHOP_NAME"}, {"garden", []string{"books", "toys"}, "SHOP_NAME"},
		{"books", []string{"books", "toys", "books"}, "books twice"}, {"a shop", nil, "letters"},
		{"books", []string{"books", strings.Repeat("x", 41)}, "letters"},
	} {
		shops, err := NewShops(c.own, c.all)
		if c.fault == "" && (err != nil || shops.Own() != c.own) ||
			c.fault != "" && (!errors.Is(err, envconfig.ErrConfig) || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%q of %q: %v", c.own, c.all, err)
		}
	}
	given := slices.Grow([]string{"books"}, 5)
	if _, err := NewShops("books", given); err != nil || given[0] != "books" {
		t.Error("NewShops changes what it is given")
	}
}
