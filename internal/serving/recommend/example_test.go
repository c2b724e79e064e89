package recommend_test

import (
	"context"
	"fmt"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// The session of an anonymous visitor who looked at a product of line 2.
func ExampleRecommender_Batch() {
	store := recommendtest.NewStore(recommendtest.Version("m1")) // in production: vectorstore.Open
	answers, err := recommend.New(store).Batch(context.Background(), []*activity.Event{
		{SessionID: "s-1", BrowseHistory: []activity.Browse{{ProductCode: "L2_03", Quantity: 1}}},
		{SessionID: "s-2"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range answers {
		fmt.Println(a.ModelVersion, a.Source, len(a.Items))
	}
	fmt.Println(answers[0].Items[0].Because)
	// Output:
	// m1 session 10
	// m1 popularity 10
	// L2_03
}
