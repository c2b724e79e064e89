package train

import (
	"slices"
	"testing"

	"kindred/internal/lake/interaction"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
)

func TestCellsTakeStarsBeforeFeedbackAndTheStrongestAction(t *testing.T) {
	t.Parallel()
	signal := Signal{MinStars: 4, FeedbackView: 0, FeedbackCart: 0.5, FeedbackPurchase: 2}
	ratings := []evaluation.Rating{{Customer: 1, Product: 7, Stars: 2}, {Customer: 0, Product: 3, Stars: 5},
		{Customer: 0, Product: 1, Stars: 4}}
	done := []Feedback{
		// disliked all the same
		{Customer: 1, Product: 7, Action: interaction.Purchase},
		// liked already
		{Customer: 0, Product: 3, Action: interaction.Purchase},
		// in two sessions
		{Customer: 2, Product: 2, Action: interaction.Cart}, {Customer: 2, Product: 2, Action: interaction.Purchase},
		// the stronger one first
		{Customer: 2, Product: 1, Action: interaction.Cart}, {Customer: 2, Product: 1, Action: interaction.View},
		{Customer: 2, Product: 5, Action: interaction.View}, {Customer: 2, Product: 6, Action: "shrug"}, // worth nothing
	}
	want := []cell{{0, 1, 1}, {0, 3, 1}, {2, 1, 0.5}, {2, 2, 2}}
	if got := signal.cells(ratings, done); !slices.Equal(got, want) {
		t.Errorf("cells %v, want %v", got, want)
	}
	m := matrix(4, 8, want)
	if !slices.Equal(m.Start, []int{0, 2, 2, 4, 4}) || !slices.Equal(m.Col, []int32{1, 3, 1, 2}) ||
		!slices.Equal(m.Weight, []float32{1, 1, 0.5, 2}) {
		t.Errorf("matrix %+v", m)
	}
}

// TestFeedbackGivesNoHeldOutRatingAway: a look at a product that is to be found, or a look after it
// was found, says what the answer is.
func TestFeedbackGivesNoHeldOutRatingAway(t *testing.T) {
	t.Parallel()
	data := &Data{Feedback: []Feedback{
		{Customer: 0, Product: 1, At: 99}, {Customer: 0, Product: 2, At: 100}, {Customer: 0, Product: 3, At: 50},
		{Customer: 1, Product: 1, At: 999}, {Customer: 2, Product: 1, At: 999}, {Customer: 2, Product: 4, At: 1},
	}}
	held := []evaluation.Rating{{Customer: 0, Product: 3, RatedAt: 200}, {Customer: 0, Product: 9, RatedAt: 100},
		{Customer: 2, Product: 4}}
	want := []Feedback{{Customer: 0, Product: 1, At: 99}, {Customer: 1, Product: 1, At: 999},
		{Customer: 2, Product: 1, At: 999}}
	if got := data.feedbackBefore(held[:1], held[1:]); !slices.Equal(got, want) {
		t.Errorf("before the held-out ratings: %v, want %v", got, want)
	}
}

func TestFeedbackTeachesASilentCustomerAndHidesWhatTheyBought(t *testing.T) {
	t.Parallel()
	_, data := mustShop(t, 0.03)
	silent := int32(slices.IndexFunc(data.Customers, func(c Customer) bool {
		return !slices.ContainsFunc(data.Ratings,
			func(r evaluation.Rating) bool { return data.Customers[r.Customer].ID == c.ID })
	}))
	data.addFeedback([]interaction.Interaction{
		{CustomerID: data.Customers[silent].ID, ProductCode: data.Products[2].ID, Action: interaction.Purchase,
			OccurredAt: 1_800_000_000_000},
		{CustomerID: data.Customers[silent].ID, ProductCode: data.Products[3].ID, Action: interaction.Cart,
			OccurredAt: 1_800_000_000_000},
		{CustomerID: "1", ProductCode: data.Products[3].ID, Action: interaction.Cart}, // nobody's
		{CustomerID: data.Customers[silent].ID, ProductCode: "nothing", Action: interaction.Cart},
	})
	cfg := quick()
	cfg.Dim, cfg.Epochs = 4, 4
	v := mustTrain(t, Trainer{Config: cfg}, data)
	if len(data.Feedback) != 2 || v.Customers[silent].Origin != modelversion.OriginTrained ||
		!slices.Equal(v.Customers[silent].Rated, []string{data.Products[2].ID}) {
		t.Errorf("feedback %v gave %s, and left out %v", data.Feedback, v.Customers[silent].Origin, v.Customers[silent].Rated)
	}
}
