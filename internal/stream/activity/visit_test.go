package activity_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/stream/activity"
)

func TestGoldenInteractionEvent(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/interaction.json")
	if err != nil {
		t.Fatal(err)
	}
	item := one(t, at("12"), string(data))
	if item.Fault != nil {
		t.Fatal(item.Fault)
	}
	want := &activity.Visit{EventID: "0b0d6b83-6b1f-8d3c-9d27-000000000004", Customer: "363",
		Session: "1f0d6b83-6b1f-8d3c-9d27-000000000001", Clicks: []activity.Click{{"S18_1749", activity.ClickPurchase}},
		Place: at("12").Order(),
		Order: activity.Order{At: time.Date(2026, 3, 1, 11, 59, 59, 875e6, time.UTC), Sequence: "12"}}
	if diff := cmp.Diff(want, item.Event.Visit); diff != "" {
		t.Error(diff)
	}
	if item.Event.Answered() || item.Event.PartitionKey() != want.Session {
		t.Errorf("answered: %v, key: %s", item.Event.Answered(), item.Event.PartitionKey())
	}
}

func TestAnActivityRecordThatContinuesItsSession(t *testing.T) {
	t.Parallel()
	const entries = `"browse_history":[{"product_code":7},{"product_code":"a","in_shopping_cart":true,"purchased":true}]`
	item := one(t, at("12"), `{"session_id":"s","customer_number":"c","continues_session":true,`+entries+`}`)
	if item.Fault != nil {
		t.Fatal(item.Fault)
	}
	want := &activity.Visit{EventID: activity.EventID(nil, at("12")), Session: "s", Customer: "c", Place: at("12").Order(),
		Order: at("12").Order(), Clicks: []activity.Click{{"7", activity.ClickView}, {"a", activity.ClickCart}}}
	if diff := cmp.Diff(want, item.Event.Visit); diff != "" || !item.Event.Answered() {
		t.Errorf("answered: %v: %s", item.Event.Answered(), diff)
	}
	for _, more := range []string{"", `,"continues_session":false`, `,"continues_session":null`} {
		if whole := one(t, at("12"), `{"session_id":"s"`+more+`,`+entries+`}`); whole.Fault != nil || whole.Event.Visit != nil {
			t.Errorf("a whole record: %+v", whole)
		}
	}
}

func TestFaultsOfVisits(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`{"product_code":"a"},`, activity.MaxKept) + `{"product_code":"a"}`
	for data, want := range map[string]string{
		`"type":"interaction","kind":"view","product_code":"7"`:                                              "both missing",
		`"type":"interaction","kind":"look","product_code":"7","session_id":"s"`:                             "kind is none",
		`"type":"interaction","kind":7,"product_code":"7","session_id":"s"`:                                  "kind is no text",
		`"type":"interaction","kind":"view","session_id":"s"`:                                                "product_code is empty",
		`"type":"interaction","Kind":"view","product_code":"7","session_id":"s"`:                             "only by case",
		`"type":"interaction","kind":"view","product_code":"7","customer_number":""`:                         "customer_number is empty",
		`"type":"interaction","kind":"view","product_code":"7","session_id":"s","quantity":-1`:               "quantity is no",
		`"type":"interaction","kind":"view","product_code":"7","session_id":"s","value":"1"`:                 "value is no number",
		`"type":"interaction","kind":"rating","product_code":"7","session_id":"s"`:                           "has no value",
		`"type":"interaction","kind":"view","product_code":"7","session_id":"s","occurred_at":1`:             "occurred_at",
		`"session_id":"s","continues_session":true`:                                                          "browse_history is missing",
		`"session_id":"s","continues_session":1,"browse_history":[]`:                                         "continues_session",
		`"session_id":"s","continues_session":true,"browse_history":[],"occurred_at":"now"`:                  "occurred_at",
		`"session_id":"s","continues_session":true,"browse_history":[` + many + `]`:                          "at most 200",
		`"session_id":"s","continues_session":true,"browse_history":[],"occurred_at":"2026-03-01T12:06:00Z"`: "ahead of",
		`"type":"interaction","kind":"view","product_code":"7","session_id":"` + strings.Repeat("x", 257) + `"`: "more than " +
			"256",
	} {
		item := one(t, at("12"), `{`+data+`}`)
		if item.Fault == nil || item.Fault.Reason != activity.ReasonSchema || !strings.Contains(item.Fault.Message, want) {
			t.Errorf("%.100s: %v, want %q", data, item.Fault, want)
		}
	}
}
