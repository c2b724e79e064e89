package trainingset

import (
	"cmp"
	"errors"
	"fmt"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// KeyType is how a set's files hold the ids of customers or products: as their source does. In
// memory an id is text, and an integer its decimal form.
type KeyType uint8

// The types of keys.
const (
	Int32 KeyType = iota + 1
	Int64
	Text
)

// Keys are the types of a set's keys. One that is not given is as in the seed's tables: an INT and a
// VARCHAR.
type Keys struct {
	Customer, Product KeyType
}

func (k Keys) orSeed() Keys {
	return Keys{cmp.Or(k.Customer, Int32), cmp.Or(k.Product, Text)}
}

// allKeys are all that there can be.
func allKeys() (all []Keys) {
	types := []KeyType{Int32, Int64, Text}
	for _, customer := range types {
		for _, product := range types {
			all = append(all, Keys{customer, product})
		}
	}
	return all
}

// KeysOf finds the keys' types by the fingerprint of a set's columns. ErrSchema when the set has
// other columns than this program reads.
func KeysOf(fingerprint string) (Keys, error) {
	for _, keys := range allKeys() {
		if Fingerprint(keys) == fingerprint {
			return keys, nil
		}
	}
	return Keys{}, ErrSchema
}

// errKey means that an id does not fit the type of its column.
var errKey = errors.New("is not an integer, or is too large")

// holds reports an id that a column of the type cannot hold.
func (k KeyType) holds(id string) error {
	if err := text.CheckID(id); err != nil || k == Text {
		return err
	}
	n, whole := text.Integer(id)
	if !whole || k == Int32 && int64(int32(n)) != n {
		return errKey
	}
	return nil
}

// key is what Go calls a KeyType.
type key interface{ int32 | int64 | string }

// fromID is the value of an id that its column can hold.
func fromID[K key](id string) (value K) {
	switch p := any(&value).(type) {
	case *string:
		*p = id
	case *int32:
		n, _ := text.Integer(id)
		*p = int32(n)
	case *int64:
		*p, _ = text.Integer(id)
	}
	return value
}

// toID is the id that a value stands for.
func toID[K key](value K) string { return fmt.Sprint(value) }

// checkCustomers refuses ids that the columns cannot hold.
func (k KeyType) checkCustomers(customers []shop.Customer) error {
	for _, c := range customers {
		if err := k.holds(c.ID); err != nil {
			return fmt.Errorf("%s: customerNumber %w", shop.CustomerName(c.ID), err)
		}
	}
	return nil
}

// checkProducts is checkCustomers for products.
func (k KeyType) checkProducts(products []shop.Product) error {
	for _, p := range products {
		if err := k.holds(p.Code); err != nil {
			return fmt.Errorf("%s: productCode %w", shop.ProductName(p.Code), err)
		}
	}
	return nil
}
