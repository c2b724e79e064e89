package activity_test

import (
	"fmt"

	"kindred/internal/stream/activity"
)

// A quantity may be a number or a string, and a field that kindred does not know is no fault.
func ExampleParse() {
	event, err := activity.Parse([]byte(`{
		"event_id": "e-1",
		"session_id": "s-1",
		"browse_history": [{"product_code": "S18_1749", "quantity": "2", "in_shopping_cart": true}],
		"campaign": "spring"
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.SessionID, event.BrowseHistory[0].ProductCode, event.BrowseHistory[0].Quantity)
	// Output: s-1 S18_1749 2
}

// What can never be read has a reason, and a sentence that repeats no value of the event.
func ExampleParse_fault() {
	_, err := activity.Parse([]byte(`{"session_id": "s-1"}`))
	fmt.Println(err)
	// Output: schema: browse_history is missing; it may be an empty list
}

// The id of a recommendation depends on the event's id alone, so readers remove duplicates by it.
func ExampleRecommendationID() {
	first, again := activity.RecommendationID("e-1", ""), activity.RecommendationID("e-1", "")
	fmt.Println(first == again)
	fmt.Println(first == activity.RecommendationID("e-2", ""))
	// Output:
	// true
	// false
}
