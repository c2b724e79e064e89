package memory

import (
	"context"
	"encoding/json"
	"slices"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Facts finds what is known of products.
func (s *Store) Facts(ctx context.Context, m *recommend.Model, codes []string) (map[string]recommend.Facts, error) {
	if err := recommend.CheckText(codes...); err != nil {
		return nil, err
	}
	v := s.version(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]recommend.Facts{}
	for _, code := range codes {
		facts, said := recommend.Facts{}, s.said[code]
		i, known := v.items[code]
		if !known && said == nil {
			continue
		}
		if known {
			it := v.version.Items[i]
			put(facts, activity.FieldAvailable, shown(it, s.state))
			for field, value := range ofVersion(&it) {
				put(facts, field, value)
			}
		}
		for field, of := range said {
			switch value := of.value.(type) {
			case nil:
			case string:
				if field == activity.FieldPrice {
					put(facts, field, json.Number(value))
				} else {
					put(facts, field, value)
				}
			default:
				if !slices.Contains([]activity.Field{activity.FieldAvailable, activity.FieldHidden}, field) {
					put(facts, field, value)
				}
			}
		}
		if can, known := s.state[code]; known {
			put(facts, activity.FieldAvailable, can)
		}
		if said != nil {
			put(facts, activity.FieldFirstSeen, s.firstSeen[code].UTC().Format("2006-01-02T15:04:05.000000Z"))
		}
		found[code] = facts
	}
	return found, ctx.Err()
}

// put adds a value that always encodes.
func put(facts recommend.Facts, field activity.Field, value any) {
	facts[field], _ = json.Marshal(value)
}
