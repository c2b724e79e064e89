package redrive

import (
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

// TestRedriveOfOneShop redrives the place of the first of two shops that share a stream. A failed batch
// also holds what the other shop's function answers.
func TestRedriveOfOneShop(t *testing.T) {
	t.Parallel()
	ofShop := func(shop, id string) string { return `{"shop":"` + shop + `",` + strings.TrimPrefix(event(id), "{") }
	b := newBundle(t)
	b.mustQuarantine(t, position(1), ofShop("books", "own-1"))
	b.mustQuarantine(t, position(2), ofShop("toys", "own-2")) // it came before toys was on the list
	b.mustFail(t, "a", 10, ofShop("books", "own-10"), ofShop("toys", "own-11"), event("own-12"), ofShop("tools", "own-13"))
	b.mustFail(t, "b", 20, ofShop("toys", "own-20"))
	var err error
	if b.shops, err = activity.NewShops("books", []string{"books", "toys"}); err != nil {
		t.Fatal(err)
	}
	r := b.mustRedrive(t)
	want := []string{ofShop("books", "own-1"), ofShop("toys", "own-2"), ofShop("books", "own-10"), event("own-12")}
	if !slices.Equal(b.taken, want) || r.Sent != 4 || r.OtherShops != 2 || r.Unreadable != 1 ||
		r.Reasons[activity.ReasonUnknownShop] != 1 || !strings.Contains(r.String(), "2 events are of other shops") {
		t.Errorf("sent %q\n%+v\n%s", b.taken, r, r)
	}
	if n := count(t, b, envconfig.QuarantinePrefix); n != 3 {
		t.Errorf("%d objects in quarantine, want what names no shop there too", n)
	}
	if again := b.mustRedrive(t); again.Sent != 0 || again.Unreadable != 1 {
		t.Errorf("redriven again: %+v", again)
	}
}
