package activity

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kindred/internal/platform/envconfig"
)

// Shops are the shops that share a stream, and the one of them that a program works for. Every event
// belongs to exactly one of them, so that none is answered twice and none by nobody. The zero value
// works for all events, whatever shop they name. It is safe for concurrent use.
type Shops struct {
	own string
	all []string // own is one of them; empty with it
}

// NewShops makes the shops of a stream; all may be empty: own alone. Its error is envconfig.ErrConfig.
func NewShops(own string, all []string) (Shops, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "" })
	if len(all) == 0 && own != "" {
		all = []string{own}
	}
	for i, name := range all {
		if err := (envconfig.Shop{Name: name}).Check(); err != nil {
			return Shops{}, fmt.Errorf("%q in SHOP_NAME or ACTIVITY_STREAM_SHOPS: %w", name, err)
		}
		if slices.Contains(all[:i], name) {
			return Shops{}, fmt.Errorf("%w: ACTIVITY_STREAM_SHOPS has %s twice", envconfig.ErrConfig, name)
		}
	}
	if len(all) > 0 && !slices.Contains(all, own) {
		return Shops{}, fmt.Errorf("%w: SHOP_NAME must be one of ACTIVITY_STREAM_SHOPS", envconfig.ErrConfig)
	}
	return Shops{own, all}, nil
}

// Own is the name of the shop that the program works for; "" if it works for all events.
func (s Shops) Own() string { return s.own }

// Of is the shop that an item belongs to: the one that it names in its field shop. The first shop has
// what names none, also because it cannot be read, and what names a shop that is none of them; the
// latter gets a fault. Without an own shop it is "".
func (s Shops) Of(item *Item) string {
	if s.own == "" {
		return ""
	}
	named := item.shop()
	if slices.Contains(s.all, named) {
		return named
	}
	if named != "" && item.Fault == nil {
		item.Fault = &Fault{ReasonUnknownShop, "shop names a shop that is not served from here"}
	}
	return s.all[0]
}

// shop is the shop that the item names, also if it has a fault; "" if it names none.
func (it *Item) shop() string {
	if it.Event == nil {
		return shopIn(it.Data)
	}
	if it.Event.Shop == nil {
		return ""
	}
	return string(*it.Event.Shop)
}

// shopIn finds the first field shop of an object, which may be faulty or cut off further on.
func shopIn(data []byte) string {
	dec := jsontext.NewDecoder(bytes.NewReader(data), whileSyntax...)
	if start, err := dec.ReadToken(); err != nil || start.Kind() != '{' {
		return ""
	}
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		if name.String() == "shop" {
			var id ID
			_ = json.UnmarshalDecode(dec, &id) // what is no id names no shop
			return string(id)
		}
		if err := dec.SkipValue(); err != nil {
			return ""
		}
	}
}
