package trainingset

import (
	"encoding/json"

	"kindred/internal/lake/commit"
)

// ShopOf is the name of the shop that a set was made of; empty for a set that earlier programs wrote.
func ShopOf(m commit.Manifest) string {
	var details struct {
		Shop string `json:"shop"`
	}
	if len(m.Details) == 0 || json.Unmarshal(m.Details, &details) != nil {
		return ""
	}
	return details.Shop
}
