package trainer

import "kindred/internal/evaluation"

// Signal says how a rating becomes something to learn from. It is the only place that knows.
type Signal struct {
	// MinStars is the fewest stars that say "likes it". Everything below is no positive: a dislike is not evidence of taste, and neither
	// is it pulled to zero harder than a product that the customer never met. It still counts as seen, so it is not recommended.
	// Defaults to 4.
	MinStars int8 `json:"min_stars"`
}

// defaultMinStars: on a scale to five, three is lukewarm.
const defaultMinStars = 4

// Preference is the confidence that stars give to "likes it", 0 for none. All likes weigh the same:
// fives that count 1.5, 2 or 3 times a four moved NDCG@10 by less than its noise on ml-100k and on a generated shop.
func (s Signal) Preference(stars int8) float32 {
	if stars < s.MinStars {
		return 0
	}
	return 1
}

// Positives are the ratings that say "likes it", in the given order.
func (s Signal) Positives(ratings []evaluation.Rating) []evaluation.Rating {
	var positives []evaluation.Rating
	for _, r := range ratings {
		if s.Preference(r.Stars) > 0 {
			positives = append(positives, r)
		}
	}
	return positives
}
