package activity_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/stream/activity"
)

// arrived is when the events of these tests arrive.
var arrived = time.Date(2026, 3, 1, 12, 0, 0, 125e6, time.UTC)

func at(sequence string) activity.Position {
	return activity.Position{Stream: "s", Shard: "0", SequenceNumber: sequence, PartitionKey: "7", ArrivedAt: arrived}
}

func one(t *testing.T, p activity.Position, data string) activity.Item {
	t.Helper()
	items := activity.Read(nil, p, []byte(data))
	if len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	return items[0]
}

func TestGoldenProductEvent(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/product.json")
	if err != nil {
		t.Fatal(err)
	}
	item := one(t, at("12"), string(data))
	if item.Fault != nil {
		t.Fatal(item.Fault)
	}
	want := &activity.ProductWrite{ID: "S18_1749",
		Order: activity.Order{At: time.Date(2026, 3, 1, 11, 59, 59, 875e6, time.UTC), Sequence: "12"},
		Values: map[activity.Field]any{
			activity.FieldAvailable: true, activity.FieldStock: int64(12), activity.FieldHidden: false,
			activity.FieldPrice: "86.70", activity.FieldCurrency: "EUR",
			activity.FieldCategories: []string{"Classic Cars", "Sale"}, activity.FieldBrand: "Classic Metal",
			activity.FieldName: "1917 Grand Touring Sedan", activity.FieldURL: "https://shop.example/S18_1749",
			activity.FieldImage:      nil,
			activity.FieldAttributes: map[string]any{"colour": "red", "scale": 18.0, "new": true},
		}}
	if diff := cmp.Diff(want, item.Event.Product); diff != "" {
		t.Error(diff)
	}
	if item.Event.PartitionKey() != "S18_1749" {
		t.Errorf("the partition key is %s", item.Event.PartitionKey())
	}
}

func TestAStockSaysWhetherTheProductCanBeBought(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]map[activity.Field]any{
		`"stock":0`:                   {activity.FieldStock: int64(0), activity.FieldAvailable: false},
		`"stock":-3`:                  {activity.FieldStock: int64(-3), activity.FieldAvailable: false},
		`"stock":2`:                   {activity.FieldStock: int64(2), activity.FieldAvailable: true},
		`"stock":0,"available":true`:  {activity.FieldStock: int64(0), activity.FieldAvailable: true},
		`"stock":null`:                {activity.FieldStock: nil},
		`"available":null`:            {activity.FieldAvailable: nil},
		`"price":12.5,"other":[{}]`:   {activity.FieldPrice: "12.5"},
		`"price":"0.0001"`:            {activity.FieldPrice: "0.0001"},
		`"categories":[],"name":null`: {activity.FieldCategories: []string{}, activity.FieldName: nil},
	} {
		item := one(t, at("12"), `{"type":"product","product_code":7,`+fields+`}`)
		if item.Fault != nil {
			t.Errorf("%s: %v", fields, item.Fault)
			continue
		}
		want := &activity.ProductWrite{ID: "7", Order: at("12").Order(), Values: want}
		if diff := cmp.Diff(want, item.Event.Product); diff != "" {
			t.Errorf("%s: %s", fields, diff)
		}
	}
}

func TestFaultsOfProductEvents(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"type":"click","session_id":"s","browse_history":[]}`:                                "kindred does not know this type",
		`{"type":7,"session_id":"s","browse_history":[]}`:                                      "type is a number",
		`{"Type":"product","session_id":"s","browse_history":[]}`:                              "only by case",
		`{"type":"product","stock":1}`:                                                         "product_code is empty",
		`{"type":"product","product_code":7.5,"stock":1}`:                                      "product_code is not an id",
		`{"type":"product","product_code":"7"}`:                                                "none of the fields of a product",
		`{"type":"product","product_code":"7","Stock":1}`:                                      "only by case",
		`{"type":"product","product_code":"7","stock":"1"}`:                                    "stock is not a whole number",
		`{"type":"product","product_code":"7","stock":1.5}`:                                    "stock is not a whole number",
		`{"type":"product","product_code":"7","available":1}`:                                  "available is a number",
		`{"type":"product","product_code":"7","hidden":null}`:                                  "hidden is null",
		`{"type":"product","product_code":"7","price":-1}`:                                     "price is not a decimal",
		`{"type":"product","product_code":"7","price":1e2}`:                                    "price is not a decimal",
		`{"type":"product","product_code":"7","price":"1.23456"}`:                              "price is not a decimal",
		`{"type":"product","product_code":"7","categories":"a"}`:                               "categories is not a list",
		`{"type":"product","product_code":"7","categories":[null,1]}`:                          "categories is not a list",
		`{"type":"product","product_code":"7","attributes":{"a":[]}}`:                          "attributes has a value",
		`{"type":"product","product_code":"7","name":7}`:                                       "name is not a text",
		`{"type":"product","product_code":"7","stock":1,"occurred_at":"now"}`:                  "occurred_at",
		`{"type":"product","product_code":"7","stock":1,"first_position":7}`:                   "first_position",
		`{"type":"product","product_code":"7","stock":1,"shop":""}`:                            "shop is empty",
		`{"type":"product","product_code":"7","stock":1,"recommended_items":[]}`:               "reserved",
		`{"type":"product","product_code":"7","stock":1,"occurred_at":"1969-12-31T23:59:59Z"}`: "occurred_at",
		`{"type":"product","product_code":"7","stock":1,"occurred_at":"2026-03-01T12:06:00Z"}`: "ahead of its arrival",
	} {
		item := one(t, at("12"), data)
		if item.Fault == nil || item.Fault.Reason != activity.ReasonSchema || !strings.Contains(item.Fault.Message, want) ||
			item.Event != nil {
			t.Errorf("%s: %v, want %q", data, item.Fault, want)
		}
	}
	item := one(t, at("12"), `{"type":"product","product_code":"7","stock":1,"occurred_at":"2026-03-01T12:04:00Z"}`)
	if item.Fault != nil {
		t.Errorf("a clock that is a little ahead: %v", item.Fault)
	}
}

// TestAnEventThatIsSentAgainKeepsItsOrder sends an event with a type again, and that one once more.
func TestAnEventThatIsSentAgainKeepsItsOrder(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", `,"occurred_at":"2026-03-01T11:00:00Z"`, `,"event_id":"e"`} {
		for _, event := range []string{`"type":"product","product_code":"7","stock":1`,
			`"type":"customer","customer_number":7,"forget":true`,
			`"type":"interaction","kind":"view","product_code":7,"session_id":"s"`,
			`"session_id":"s","continues_session":true,"browse_history":[]`,
			`"session_id":"s","customer_number":7,"browse_history":[{"product_code":7,"purchased":true}]`} {
			sendAgainTwice(t, `{`+event+more+`}`)
		}
	}
	click := one(t, at("12"), `{"session_id":"s","browse_history":[]}`)
	if data := string(activity.Again(click)); strings.Contains(data, "first_position") {
		t.Errorf("an activity record, sent again: %s", data)
	}
	own := one(t, at("12"), `{"event_id":"e","session_id":"s","customer_number":7,"browse_history":[{"product_code":7,`+
		`"purchased":true}],"first_position":"of the shop"}`)
	if data := activity.Again(own); own.Fault != nil || !slices.Equal(data, own.Data) {
		t.Errorf("a record with a field of the shop's own, sent again: %s, %v", data, own.Fault)
	}
	var fault *activity.Fault
	if _, err := activity.Parse([]byte(`{"type":"product"}`)); !errors.As(err, &fault) {
		t.Errorf("a product event without a product: %v", err)
	}
}

func sendAgainTwice(t *testing.T, event string) {
	t.Helper()
	first := one(t, at("12"), event)
	item := first
	for n := range 2 {
		data := activity.Again(item)
		later := at(fmt.Sprint(99 + n))
		later.ArrivedAt = arrived.Add(time.Duration(n+1) * time.Hour)
		if item = one(t, later, string(data)); item.Fault != nil {
			t.Fatal(item.Fault)
		}
		if diff := cmp.Diff(first.Event.Product, item.Event.Product); diff != "" {
			t.Errorf("%s, sent again: %s", data, diff)
		}
		if diff := cmp.Diff(first.Event.Customer, item.Event.Customer); diff != "" {
			t.Errorf("%s, sent again: %s", data, diff)
		}
		if again := item.Event.Visit; again != nil && again.Order != first.Event.Visit.Order {
			t.Errorf("%s has the order %v", data, again.Order)
		}
		if item.Event.Said != first.Event.Said {
			t.Errorf("%s has the order %v", data, item.Event.Said)
		}
		if activity.EventID(item.Event, item.Position) != activity.EventID(first.Event, first.Position) {
			t.Errorf("%s has another id", data)
		}
		if activity.DigestOf(data) != activity.DigestOf(first.Data) {
			t.Errorf("%s is another event than %s", data, first.Data)
		}
		if !json.Valid(data) {
			t.Errorf("%s is no JSON", data)
		}
	}
}
