package activity

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// Type says what an event is about.
type Type string

// The types of events.
const (
	TypeActivity Type = ""         // what a visitor has looked at: it is answered with recommendations
	TypeProduct  Type = "product"  // what the shop says of a product now; see Event.Product
	TypeCustomer Type = "customer" // what is said of a customer now; see Event.Customer
	// What somebody did with a product, as it was noticed elsewhere than on a page; see Event.Visit.
	TypeInteraction Type = "interaction"
)

// PartitionKey is the key that the event should have on the stream: sequence numbers compare only among
// the records of one key.
func (e *Event) PartitionKey() string {
	switch {
	case e.Product != nil:
		return e.Product.ID
	case e.Customer != nil:
		return e.Customer.ID
	case e.SessionID == "" && e.CustomerID != nil:
		return string(*e.CustomerID)
	}
	return e.SessionID
}

// Person is the customer whom the event names, and its session; "": none.
func (e *Event) Person() (customer, session string) {
	if e.CustomerID != nil {
		customer = string(*e.CustomerID)
	}
	return customer, e.SessionID
}

// Answered says that the event is answered with recommendations. The others only say something.
func (e *Event) Answered() bool { return e.Type == TypeActivity }

// order is where what the event says stands; nil: it says nothing that is kept in an order.
func (e *Event) order() *Order {
	switch {
	case e.Product != nil:
		return &e.Product.Order
	case e.Customer != nil:
		return &e.Customer.Order
	case e.Visit != nil:
		return &e.Visit.Order
	case e.CustomerID != nil && slices.ContainsFunc(e.BrowseHistory, func(b Browse) bool { return b.Purchased }):
		return &e.Said
	}
	return nil
}

// whole says that the event is an activity record that says all of its session. Its occurred_at may be
// anything.
func (e *Event) whole() bool { return e.Type == TypeActivity && e.Visit == nil }

// firstPosition is the field in which an event that says something and is sent again says where it lay
// first: it must not undo what came after it.
const firstPosition = "first_position"

// typed reads what only events with a type say, and names the first broken rule, or "".
func (e *Event) typed(data []byte) (problem string) {
	switch {
	case utf8.RuneCountInString(e.EventID) > MaxID:
		return fmt.Sprintf("event_id has more than %d characters", MaxID)
	case e.Shop != nil && e.Shop.problem() != "":
		return "shop " + e.Shop.problem()
	}
	switch e.Type {
	case TypeProduct:
		e.Product, problem = parseProduct(data)
	case TypeCustomer:
		e.Customer, problem = e.parseCustomer(data)
	case TypeInteraction:
		e.Visit, problem = e.parseInteraction(data)
	default:
		problem = "kindred does not know this type: type is product, customer or interaction, or absent in an activity event"
	}
	if problem != "" {
		return problem
	}
	return e.when()
}

// when reads the order of what the event says, before it is put.
func (e *Event) when() (problem string) {
	var first *Position
	if len(e.FirstPosition) > 0 && json.Unmarshal(e.FirstPosition, &first) != nil ||
		first != nil && (first.ArrivedAt.Unix() < 0 || len(first.SequenceNumber) > maxSequence) {
		return firstPosition + " is not a position on a stream"
	}
	if first != nil {
		e.SentAgain = true
		*e.order() = first.Order()
	}
	if e.OccurredAt == "" {
		return ""
	}
	at, err := time.Parse(time.RFC3339, e.OccurredAt)
	switch {
	case err != nil || at.Unix() < 0:
		return "occurred_at is not a time after 1970 in the form of RFC 3339"
	case e.whole() && first != nil && at.After(first.ArrivedAt.Add(MaxAhead)):
		return "" // it did not count the first time
	}
	e.order().At = at
	return ""
}

// maxSequence is the most digits of a sequence number:
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html.
const maxSequence = 129

// put says where on the stream the event was read. A fault is of an event by a clock that is ahead: what
// it says would stay until its time comes. In a whole activity record, that time does not count.
func (e *Event) put(p Position) *Fault {
	e.Place = p.Order()
	order := e.order()
	if order == nil {
		return nil
	}
	if order.At.After(p.ArrivedAt.Add(MaxAhead)) {
		if e.whole() {
			*order = e.Place
			return nil
		}
		return &Fault{ReasonSchema, fmt.Sprintf("the event says a time more than %v ahead of its arrival on the stream: "+
			"set the clock of its producer", MaxAhead)}
	}
	first := *order
	if *order = e.Place; !first.At.IsZero() {
		order.At = first.At
	}
	if first.Sequence != "" {
		order.Sequence, order.Sub = first.Sequence, first.Sub
	}
	if e.Visit != nil {
		e.Visit.EventID, e.Visit.Place = EventID(e, p), e.Place
	}
	return nil
}

// Again returns an event that Read accepted, as it is sent again: with the event id of its first attempt,
// and if it says something that is kept in an order, with its first position.
func Again(item Item) []byte {
	data := item.Data
	if item.Event.EventID == "" {
		data = Named(data, EventID(nil, item.Position))
	}
	if e := item.Event; e.order() == nil || e.SentAgain || e.whole() && e.FirstPosition != nil {
		return data // the last: a field of the shop's own
	}
	position, err := json.Marshal(item.Position)
	if err != nil {
		panic(err) // a position can always be encoded
	}
	return withMember(data, firstPosition, position)
}
