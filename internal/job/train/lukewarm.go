package train

import (
	"fmt"

	"kindred/internal/model/evaluation"
	"kindred/internal/shop"
)

// What training makes of stars that are no like.
const (
	LukewarmAuto = "auto"
	LukewarmNone = "none"
)

// What tuning tries for stars that are no like: confidences of those just below a like, and factors of
// lambda. A customer's regularisation grows with what they rated, so that a smaller lambda may be better.
var (
	lukewarmWeights = []float64{0.2, 0.4, 0.8}
	lukewarmLambdas = []float64{1, 0.8}
)

// lukewarmSentence is what tuning chose, for people.
func lukewarmSentence(u *UsedWeight) string {
	if u == nil {
		return "The validation data ask for no weak likes.\n"
	}
	return fmt.Sprintf("Stars below a like are weak likes, with confidences from %.3g downwards and lambda %.3g: on the "+
		"validation data the mean of NDCG@20 and Recall@20 gains %s.\n", u.Weight, u.Lambda, u.text())
}

// hasLukewarm reports stars that are no like.
func (s Signal) hasLukewarm(ratings []evaluation.Rating) bool {
	for _, r := range ratings {
		if r.Stars >= shop.MinStars && s.Preference(r.Stars) == 0 {
			return true
		}
	}
	return false
}
