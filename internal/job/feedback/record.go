package feedback

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/objectkey"
	"kindred/internal/platform/text"
	"kindred/internal/stream/activity"
)

// maxExamples bounds how many unreadable lines a result names.
const maxExamples = 10

// record is what the joins read of a delivered line; see table. Everything else stays behind, so that
// DuckDB reads nothing but what this package wrote.
type record struct {
	SessionID        *string                    `json:"session_id"` // null: an interaction without a session
	CustomerID       *customerID                `json:"customer_number"`
	BrowseHistory    []activity.Browse          `json:"browse_history"`
	RecommendedItems []activity.RecommendedItem `json:"recommended_items"`
	Recommendation   activity.Recommendation    `json:"recommendation"`
}

// of says whether the visitor is on the list.
func (r *record) of(list *erased.List) bool {
	customer, session := "", ""
	if r.CustomerID != nil {
		customer = string(*r.CustomerID)
	}
	if r.SessionID != nil {
		session = *r.SessionID
	}
	return list.Row(customer, session)
}

// pageEvent is what the joins read of an interaction event, and of a product event its price; in other events the
// names may be the shop's own.
type pageEvent struct {
	Type             activity.Type      `json:"type"`
	Kind             activity.ClickKind `json:"kind"`
	ProductCode      activity.ID        `json:"product_code"`
	RecommendationID named              `json:"recommendation_id,omitempty"`
	Quantity         jsontext.Value     `json:"quantity,omitempty"`
	Value            jsontext.Value     `json:"value,omitempty"`
	Price            jsontext.Value     `json:"price,omitempty"`
}

// named is the recommendation that an event names. Earlier versions knew no such member, and took whatever the shop
// put there: what is no text names none.
type named string

// UnmarshalJSONFrom reads any value.
func (n *named) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var given string
	if json.Unmarshal(value, &given) != nil || text.Check(given, text.NoLimit) != nil {
		given = ""
	}
	*n = named(given)
	return nil
}

// customerID is a customer's id. Earlier versions accepted a number that was written 7.0.
type customerID string

// UnmarshalJSONFrom reads what activity.ID reads, and a whole number of 32 bits however it is written.
func (c *customerID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var id activity.ID
	if err := json.Unmarshal(value, &id); err == nil && text.CheckID(string(id)) == nil {
		*c = customerID(id)
		return nil
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || f != math.Trunc(f) || f < math.MinInt32 || f > math.MaxInt32 {
		return errors.New("no id of a customer")
	}
	*c = customerID(strconv.Itoa(int(f)))
	return nil
}

// project appends a delivered line as the joins read it, with its newline: nothing, if its event said something of no
// visitor, or its visitor is on the list. The error is a sentence for people that holds no value of the line. Earlier
// versions delivered names twice: the last counts.
func project(dst, line []byte, list *erased.List) ([]byte, error) {
	var r struct {
		record
		*pageEvent
	}
	if err := json.Unmarshal(line, &r.record, jsontext.AllowDuplicateNames(true)); err != nil {
		var wrong *json.SemanticError
		if errors.As(err, &wrong) && wrong.JSONPointer != "" {
			return dst, fmt.Errorf("the field %s has a value that does not fit", wrong.JSONPointer)
		}
		return dst, errors.New("it is no JSON that every reader accepts (RFC 7493)")
	}
	if r.of(list) {
		return dst, nil
	}
	said := r.Recommendation.Source == activity.SourceState
	texts := []string{}
	if said {
		var event struct {
			Type activity.Type `json:"type"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return dst, errors.New("the event's type is no text")
		}
		if event.Type != activity.TypeInteraction && event.Type != activity.TypeProduct {
			return dst, nil
		}
		r.pageEvent = &pageEvent{}
		if err := json.Unmarshal(line, r.pageEvent); err != nil {
			return dst, errors.New("kind or product_code has a value that does not fit")
		}
		if event.Type == activity.TypeProduct && len(r.Price) == 0 {
			return dst, nil
		}
		texts = []string{string(r.ProductCode)}
	}
	if r.SessionID != nil && *r.SessionID == "" {
		r.SessionID = nil
	}
	at := &r.Recommendation.Position.ArrivedAt
	if r.SessionID == nil && !said || r.Recommendation.ID == "" || at.IsZero() {
		return dst, errors.New("session_id, recommendation.id or recommendation.position.arrived_at is missing")
	}
	if r.SessionID != nil {
		texts = append(texts, *r.SessionID)
	}
	for _, b := range r.BrowseHistory {
		texts = append(texts, string(b.ProductCode))
	}
	for _, t := range texts {
		if err := text.Check(t, text.NoLimit); err != nil {
			return dst, fmt.Errorf("session_id or a product_code %w", err)
		}
	}
	*at = at.UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return dst, errors.New("a time or a number in it is out of range")
	}
	return append(append(dst, data...), '\n'), nil
}

// unreadable counts what of the delivered objects could not be read.
type unreadable struct {
	Count    int64    `json:"count"`
	Examples []string `json:"examples,omitempty"` // key, line and reason; the first few
}

func (u *unreadable) add(where string, reason error) {
	if u.Count++; len(u.Examples) < maxExamples {
		u.Examples = append(u.Examples, where+": "+reason.Error())
	}
}

// counter counts the bytes that were read.
type counter struct {
	io.Reader
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

// copyObject appends the lines of an object to w. What cannot be read is counted and passed over; an
// error is of the store or of w.
func (j Job) copyObject(ctx context.Context, info objectstore.Info, w io.Writer,
	bad *unreadable) (size int64, err error) {
	if err := objectkey.Check(info.Key); err != nil {
		bad.add("an object", err)
		return 0, nil
	}
	body, info, err := j.Recommendations.Get(ctx, info.Key)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	raw := &counter{Reader: body}
	// damaged tells a damaged object from one that the store did not give whole.
	damaged := func(where string, err error) error {
		if raw.read < info.Size || ctx.Err() != nil {
			return err
		}
		bad.add(where, errors.New("the gzipped object is damaged or cut off from there on"))
		return nil
	}
	plain, err := linefile.Plain(raw)
	if err != nil {
		return 0, damaged(info.Key, err)
	}
	lines := bufio.NewReaderSize(plain, 64<<10)
	var out []byte
	for number := 1; ; number++ {
		where := fmt.Sprintf("%s line %d", info.Key, number)
		line, readErr := lines.ReadBytes('\n')
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return size, damaged(where, readErr)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var fault error
			if out, fault = project(out[:0], line, j.Erased); fault != nil {
				bad.add(where, fault)
			} else if _, err := w.Write(out); err != nil {
				return size, err
			}
			size += int64(len(out))
		}
		if readErr != nil {
			return size, nil
		}
	}
}
