package recommend

import (
	"context"
	"encoding/json"
	"fmt"

	"kindred/internal/stream/activity"
)

// Facts is what is known of a product now, by field, as JSON: a price is a number, categories are a list. What
// is not known is absent. FieldAvailable says whether the product can be bought.
type Facts map[activity.Field]json.RawMessage

// Text is a field that is a text; "" if it is not known.
func (f Facts) Text(field activity.Field) (text string) {
	_ = json.Unmarshal(f[field], &text) // of no text or nothing, there is none
	return text
}

// Available says whether the product can be bought.
func (f Facts) Available() bool { return string(f[activity.FieldAvailable]) == "true" }

// Facts finds what is known of products, in one round trip. Products of which nothing is known are absent. While
// the store does not know the database, nothing is known of any.
func (r *Recommender) Facts(ctx context.Context, codes []string) (map[string]Facts, error) {
	if len(codes) == 0 {
		return map[string]Facts{}, nil
	}
	traffic, err := r.Traffic(ctx)
	if err != nil {
		return nil, err
	}
	return r.facts(ctx, traffic, codes)
}

func (r *Recommender) facts(ctx context.Context, traffic Traffic, codes []string) (map[string]Facts, error) {
	if traffic.Stale || len(codes) == 0 {
		return map[string]Facts{}, nil
	}
	found, err := r.store.Facts(ctx, traffic.Live, codes)
	if err != nil {
		return nil, fmt.Errorf("look up what is known of %d products: %w", len(codes), err)
	}
	return found, nil
}
