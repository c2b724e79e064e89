package integration

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"kindred/internal/lab/replay"
	"kindred/internal/lab/simulation"
	"kindred/internal/lab/visitor"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
)

// TestReplayedSessionsArriveWholeAndInOrder reads back from the stream what replay says it has sent.
func TestReplayedSessionsArriveWholeAndInOrder(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	stream, client := mustOwnStream(t, stack), kinesis.NewFromConfig(stack.AWS)
	planted, err := simulation.New(simulation.DefaultConfig(0.1))
	if err != nil {
		t.Fatal(err)
	}
	crowd, err := visitor.New(visitor.Config{Seed: 1, Run: stream, Active: 60}, planted.Products(),
		visitor.NewPlanted(planted))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := replay.Play(t.Context(), shardwriter.New(client, stream, retry.Sleep), replay.Plan{Events: 1500,
		Poison: 18, Seed: 1, Run: stream}, crowd, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if sent.EventsSent != 1500 || sent.PoisonSent != 18 {
		t.Errorf("result %+v", sent)
	}
	reader := shardreader.New(client, stream)
	shards, err := reader.Shards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	histories := map[string][]string{} // of each session, as last seen
	bad, copies := 0, 0                // a producer's retry may put a record twice
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(at activity.Position, data []byte) error {
			var e struct {
				EventID       string `json:"event_id"`
				SessionID     string `json:"session_id"`
				BrowseHistory []struct {
					ProductCode string `json:"product_code"`
					Purchased   bool   `json:"purchased"`
				} `json:"browse_history"`
			}
			if decoded := json.Unmarshal(data, &e) == nil; !decoded || e.SessionID != at.PartitionKey {
				bad++
				return nil
			}
			if seen[e.EventID] {
				copies++
				return nil
			}
			var history []string
			bought := false
			for _, b := range e.BrowseHistory {
				history = append(history, b.ProductCode)
				bought = bought || b.Purchased
			}
			// An event adds one product, or two if the click before was made into a bad record; the front
			// page, first, and the purchase, last, add none.
			before, begun := histories[e.SessionID]
			follows := len(history) == 0 && !begun || bought && slices.Equal(before, history)
			for added := 1; added <= min(2, len(history)); added++ {
				follows = follows || slices.Equal(tail(before, longestHistory-added), history[:len(history)-added])
			}
			if !follows {
				t.Errorf("session %s went from %v to %v", e.SessionID, before, history)
			}
			seen[e.EventID], histories[e.SessionID] = true, history
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != sent.EventsSent || bad < sent.PoisonSent || copies == 0 && bad > sent.PoisonSent {
		t.Errorf("the stream holds %d events and %d bad records; sent were %d and %d", len(seen), bad, sent.EventsSent,
			sent.PoisonSent)
	}
}

// longestHistory is how many products an event carries at most.
const longestHistory = 20

// tail returns the last n of s, all when there are fewer.
func tail(s []string, n int) []string { return s[max(len(s)-n, 0):] }
