package activity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// answer is what a recommendation record adds to its event, in this order.
type answer struct {
	RecommendedItems []RecommendedItem `json:"recommended_items"`
	SimilarItems     *SimilarItems     `json:"similar_items,omitempty"`
	Recommendation   Recommendation    `json:"recommendation"`
}

// answerBytes is room for what most answers add to their event.
const answerBytes = 2 << 10

// AppendLine appends the record as one line of JSON with its newline: the event's own fields as
// they came, number literals and unknown fields included, without insignificant white space, then
// ours. r.Event must have passed Parse, which refuses events that use our field names.
func (r Record) AppendLine(dst []byte) ([]byte, error) {
	return r.appendLine(dst, answer{r.items(), r.SimilarItems, r.Recommendation})
}

// AppendShown is AppendLine for whoever asked, with products in other forms, which encode as JSON; similar may be
// nil. Where the record is delivered to nobody, nobody may refer to it: its id is null.
func (r Record) AppendShown(dst []byte, items, similar any, delivered bool) ([]byte, error) {
	var id *string
	if delivered {
		id = &r.Recommendation.ID
	}
	return r.appendLine(dst, shown{items, similar, named{id, r.Recommendation}})
}

// Strip is one of the lists of products that answer an event, as whoever asked sees it; see AppendShown.
type Strip struct {
	Record    Record
	Items     any
	Delivered bool
}

// AppendStrips appends an answer of several strips as one line of JSON: the event of the first one, and in strips the
// products and the recommendation of each.
func AppendStrips(dst []byte, strips []Strip) ([]byte, error) {
	var added struct {
		Strips []shown `json:"strips"`
	}
	for i := range strips {
		s := &strips[i]
		var id *string
		if s.Delivered {
			id = &s.Record.Recommendation.ID
		}
		added.Strips = append(added.Strips, shown{s.Items, nil, named{id, s.Record.Recommendation}})
	}
	return strips[0].Record.appendLine(dst, added)
}

// shown is answer, with products in other forms.
type shown struct {
	RecommendedItems any   `json:"recommended_items"`
	SimilarItems     any   `json:"similar_items,omitempty"`
	Recommendation   named `json:"recommendation"`
}

type named struct {
	ID *string `json:"id"` // hides the recommendation's
	Recommendation
}

// items are never nil: readers' tables expect a list.
func (r Record) items() []RecommendedItem {
	if r.RecommendedItems == nil {
		return []RecommendedItem{}
	}
	return r.RecommendedItems
}

func (r Record) appendLine(dst []byte, added any) ([]byte, error) {
	start := len(dst)
	line := appendCompact(slices.Grow(dst, len(r.Event)+answerBytes), r.Event)
	event := line[start:]
	if len(event) < len("{}") || event[0] != '{' {
		return dst, errors.New("write record: the event is no JSON object")
	}
	line[len(line)-1] = ',' // the closing brace
	if len(event) == len("{}") {
		line = line[:len(line)-1]
	}
	out, seam := bytes.NewBuffer(line), len(line)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(added); err != nil {
		return dst, fmt.Errorf("encode recommendation: %w", err)
	}
	line = out.Bytes()
	return append(line[:seam], line[seam+1:]...), nil // our opening brace
}

// appendCompact appends valid JSON without its insignificant white space. It is json.Compact
// without a second check.
func appendCompact(dst, valid []byte) []byte {
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case c == '"':
			end := stringEnd(valid, i)
			dst = append(dst, valid[i:end+1]...)
			i = end
		case c > ' ':
			dst = append(dst, c)
		}
	}
	return dst
}

// ParseRecord reads one line of AppendLine back. Event holds every field that is not ours, in order
// and compact.
func ParseRecord(line []byte) (Record, error) {
	var a answer
	event := []byte{'{'}
	dec := json.NewDecoder(bytes.NewReader(line))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return Record{}, errors.New("parse record: no JSON object")
	}
	found := 0
	for dec.More() {
		before := dec.InputOffset()
		key, err := dec.Token()
		if err != nil {
			return Record{}, fmt.Errorf("parse record: %w", err)
		}
		rawKey := bytes.TrimLeft(line[before:dec.InputOffset()], ", \t\r\n")
		switch key {
		case "recommended_items":
			err = dec.Decode(&a.RecommendedItems)
			found++
		case "similar_items":
			err = dec.Decode(&a.SimilarItems)
		case "recommendation":
			err = dec.Decode(&a.Recommendation)
			found++
		default:
			var value json.RawMessage
			err = dec.Decode(&value)
			if len(event) > 1 {
				event = append(event, ',')
			}
			event = append(append(append(event, rawKey...), ':'), value...)
		}
		if err != nil {
			return Record{}, fmt.Errorf("parse record: %w", err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return Record{}, fmt.Errorf("parse record: %w", err)
	}
	if rest := line[dec.InputOffset():]; len(bytes.TrimSpace(rest)) > 0 {
		return Record{}, fmt.Errorf("parse record: %d bytes after the object", len(rest))
	}
	if found < 2 {
		return Record{}, errors.New("parse record: recommended_items or recommendation is missing")
	}
	return Record{append(event, '}'), a.RecommendedItems, a.SimilarItems, a.Recommendation}, nil
}
