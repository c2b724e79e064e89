// Package activitytest makes activity events as a shop's web server sends them, as many as wanted.
// It is for tests and benchmarks only.
package activitytest

import (
	"encoding/json"
	"fmt"
	"time"

	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// Shop is what events can be about.
type Shop struct {
	Products  []string
	Customers []string
	Purchases bool // each event says that its customer has bought a product
	Continues bool // each event says one product, which is new in its session
}

// Session says which session event i belongs to: three events each. It is the partition key.
func Session(i int) string { return fmt.Sprintf("1f0d6b83-6b1f-8d3c-9d27-%012d", i/3) }

// EventID is the id of event i.
func EventID(i int) string { return fmt.Sprintf("0b0d6b83-6b1f-8d3c-9d27-%012d", i) }

// Event makes event i: one to nine products, a known customer, fields that kindred does not know.
// The same i gives the same bytes.
func (s Shop) Event(i int) []byte {
	e := struct {
		activity.Event
		UserAgent  string         `json:"user_agent"`
		Campaign   string         `json:"campaign"`
		Experiment map[string]int `json:"experiment"`
	}{activity.Event{
		EventID: EventID(i), SessionID: Session(i), CustomerID: (*activity.ID)(&s.Customers[i%len(s.Customers)]),
		City:       "Nantes",
		Country:    "France",
		OccurredAt: "2026-03-01T12:00:00.123456789Z",
	}, "Mozilla/5.0 (X11; Linux x86_64)", "spring", map[string]int{"price": 1}}
	products := 1 + i%9
	if e.ContinuesSession = s.Continues; s.Continues {
		products, e.OccurredAt = 1, "" // it would have to be close to the arrival
	}
	for k := range products {
		code := s.Products[(i*31+k*7)%len(s.Products)]
		e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(code), Quantity: 1,
			InShoppingCart: k%4 == 1, Purchased: s.Purchases && k == 0})
	}
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers are always JSON
	}
	return data
}

// Batch makes the events from first on, n of them, as Lambda hands them to a function.
func (s Shop) Batch(first, n int) (batch events.KinesisEvent) {
	for i := first; i < first+n; i++ {
		sequence := SequenceNumber(i)
		batch.Records = append(batch.Records, events.KinesisEventRecord{
			EventID: "shardId-000000000000:" +
				sequence, EventSourceArn: "arn:aws:kinesis:eu-west-1:000000000000:stream/activity",
			AwsRegion: "eu-west-1", EventName: "aws:kinesis:record", EventSource: "aws:kinesis", EventVersion: "1.0",
			Kinesis: events.KinesisRecord{SequenceNumber: sequence, PartitionKey: Session(i), Data: s.Event(i),
				KinesisSchemaVersion:        "1.0",
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: time.Now()}},
		})
	}
	return batch
}

// SequenceNumber is that of event i in Batch.
func SequenceNumber(i int) string { return fmt.Sprintf("4966%052d", i) }
