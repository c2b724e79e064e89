package activity_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/stream/activity"
)

func TestGoldenCustomerEvent(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/customer.json")
	if err != nil {
		t.Fatal(err)
	}
	item := one(t, at("12"), string(data))
	if item.Fault != nil {
		t.Fatal(item.Fault)
	}
	want := &activity.CustomerWrite{ID: "363",
		Order: activity.Order{At: time.Date(2026, 3, 1, 11, 59, 59, 875e6, time.UTC), Sequence: "12"},
		Values: map[activity.CustomerField]any{activity.CustomerCountry: "France", activity.CustomerCity: nil,
			activity.CustomerCreditLimit: 21000.0},
		Hidden: map[string]bool{"S18_1749": true, "S10_1678": false}}
	if diff := cmp.Diff(want, item.Event.Customer); diff != "" {
		t.Error(diff)
	}
	if item.Event.PartitionKey() != "363" || item.Event.Answered() {
		t.Errorf("the partition key is %s, answered: %v", item.Event.PartitionKey(), item.Event.Answered())
	}
}

func TestFaultsOfCustomerEvents(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"country":"France"`:                                                     "customer_number is missing",
		`"customer_number":null,"country":"France"`:                              "customer_number is missing",
		`"customer_number":"","country":"France"`:                                "customer_number is empty",
		`"customer_number":7`:                                                    "says nothing",
		`"customer_number":7,"forget":false`:                                     "says nothing",
		`"customer_number":7,"hide":[]`:                                          "says nothing",
		`"customer_number":7,"Hide":["a"]`:                                       "only by case",
		`"customer_number":7,"hide":"a"`:                                         "no list of products",
		`"customer_number":7,"hide":[""]`:                                        "is empty",
		`"customer_number":7,"hide":["a"],"show":["b","a"]`:                      "in hide and in show",
		`"customer_number":7,"hide":["a"],"forget":1`:                            "true or false",
		`"customer_number":7,"forget":true,"city":"Lyon"`:                        "says nothing else",
		`"customer_number":7,"city":3`:                                           "city is a number",
		`"customer_number":7,"forget":true,"occurred_at":"soon"`:                 "occurred_at",
		`"customer_number":7,"city":"x","recommended_items":[]`:                  "reserved",
		`"customer_number":7,"show":[` + strings.Repeat(`"a",`, 1000) + `"a"]`:   "more than 1000",
		`"customer_number":7,"city":"` + strings.Repeat("x", 4097) + `"`:         "more than 4096",
		`"customer_number":7,"forget":true,"occurred_at":"2026-03-01T12:06:00Z"`: "ahead of its arrival",
	} {
		item := one(t, at("12"), `{"type":"customer",`+fields+`}`)
		if item.Fault == nil || item.Fault.Reason != activity.ReasonSchema || !strings.Contains(item.Fault.Message, want) {
			t.Errorf("%.100s: %v, want %q", fields, item.Fault, want)
		}
	}
}
