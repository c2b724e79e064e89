package recommendtest

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// testFacts asks what is known of products before and after something is said of them.
func testFacts(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	v := gridVersion(1)
	v.Items[4].QuantityInStock, v.Items[5].QuantityInStock, v.Items[6].QuantityInStock = 3, 3, 0
	s := open(t, Setup{Live: v})
	m := mustModel(t, s)
	codes := []string{v.Items[4].Code, v.Items[5].Code, v.Items[6].Code, "fresh ü", "unknown"}
	wantFacts(t, s, m, codes, []string{`{"name": "name", "categories": ["line"], "available": true}`,
		`{"name": "name", "categories": ["line"], "available": true}`,
		`{"name": "name", "categories": ["line"], "available": false}`, "", ""})
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	say := func(id string, values map[activity.Field]any) activity.ProductWrite {
		return activity.ProductWrite{ID: id, Order: activity.Order{At: at, Sequence: "7"}, Values: values}
	}
	if err := s.WriteState(t.Context(), recommend.State{Products: []activity.ProductWrite{
		say(codes[0], map[activity.Field]any{activity.FieldName: "Tasse „groß“", activity.FieldPrice: "12.5000",
			activity.FieldCategories: []string{"a", "b"}, activity.FieldCurrency: "EUR", activity.FieldBrand: "<b>",
			activity.FieldURL: "https://shop.example/?a=1&b=2", activity.FieldImage: "i.png",
			activity.FieldAttributes: map[string]any{"colour": "red", "weight": 1.5, "new": true}}),
		say(codes[1], map[activity.Field]any{activity.FieldHidden: true, activity.FieldBrand: nil}),
		say(codes[2], map[activity.Field]any{activity.FieldAvailable: true, activity.FieldStock: int64(9)}),
		say(codes[3], map[activity.Field]any{activity.FieldName: "new"}),
	}}); err != nil {
		t.Fatal(err)
	}
	const seen = `"first_seen": "2026-03-01T12:00:00.123456Z"`
	wantFacts(t, s, mustModel(t, s), codes, []string{
		`{"name": "Tasse „groß“", "price": 12.5, "categories": ["a", "b"], "currency": "EUR", "brand": "<b>",
			"url": "https://shop.example/?a=1&b=2", "image": "i.png", "available": true,
			"attributes": {"colour": "red", "weight": 1.5, "new": true}, ` + seen + `}`,
		`{"name": "name", "categories": ["line"], "available": false, ` + seen + `}`,
		`{"name": "name", "categories": ["line"], "available": true, "stock": 9, ` + seen + `}`,
		`{"name": "new", ` + seen + `}`, ""})
}

// wantFacts compares facts with JSON objects; an empty text stands for a product of which nothing is known.
func wantFacts(t *testing.T, s Conformer, m *recommend.Model, codes, want []string) {
	t.Helper()
	found, err := s.Facts(t.Context(), m, codes)
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range codes {
		facts, known := found[code]
		if known != (want[i] != "") {
			t.Errorf("%s: %v, want %s", code, facts, want[i])
			continue
		}
		if !known {
			continue
		}
		data, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		var got, expected any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(want[i]), &expected); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s:\n%s, want\n%s", code, data, want[i])
		}
	}
}
