package modelversion

import (
	"slices"
	"strconv"
)

// Features names what is known of a customer, as Weights has it. Empty values and a nil credit
// limit name nothing. Training and serving both ask here, so that they cannot name differently.
func (e *Encoder) Features(country, city string, creditLimit *float64) []string {
	var features []string
	if country != "" {
		features = append(features, "country="+country)
	}
	if city != "" {
		features = append(features, "city="+city)
	}
	if creditLimit != nil && len(e.CreditEdges) > 0 {
		bucket, _ := slices.BinarySearch(e.CreditEdges, *creditLimit) // an edge belongs to the bucket below it
		features = append(features, "credit="+strconv.Itoa(bucket))
	}
	return features
}

// Vector maps features into the factor space, as a new slice. It is nil when none of them is known:
// then the bias would be all, and that says nothing of this customer.
func (e *Encoder) Vector(features []string) []float32 {
	var vector []float32
	for _, feature := range features {
		weights, ok := e.Weights[feature]
		if !ok || len(weights) != len(e.Bias) {
			continue
		}
		if vector == nil {
			vector = slices.Clone(e.Bias)
		}
		for i, w := range weights {
			vector[i] += w
		}
	}
	return vector
}
