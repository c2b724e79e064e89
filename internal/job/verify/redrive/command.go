package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/kinesisclient"
	"kindred/internal/platform/program"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
)

// ErrGone says that nobody has the records of some failed batches any more; all others were sent.
var ErrGone = errors.New("records are gone")

// Command is `verify redrive`.
type Command struct {
	envconfig.Stream
	envconfig.Recommendations
	Shop   envconfig.OnlyShop     `embed:"" set:"shop_use=From failed batches, send only the events of this shop; other shops share the stream. Events in quarantine are sent whatever shop they name. Default: send all"`
	Shared envconfig.SharedStream `embed:""`
	Erased erased.Setting         `embed:""`
	DryRun bool                   `help:"Print which events would be sent. Send and write nothing."`
}

// Run sends again and reports.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	result, err := c.Send(ctx)
	if err != nil {
		return err
	}
	if err := out.Result(result.String(), result); err != nil {
		return err
	}
	if n := len(result.Gone); n > 0 {
		return fmt.Errorf("%w: those of %d failed batches, the first is %s", ErrGone, n, result.Gone[0])
	}
	return nil
}

// Send is Run without what it prints. Records that nobody has any more are in the result, and no error.
func (c *Command) Send(ctx context.Context) (Result, error) {
	if c.Name == "" {
		return Result{}, fmt.Errorf("%w: %w", program.ErrConfig, envconfig.NotSetError{Variable: "ACTIVITY_STREAM"})
	}
	shops, err := activity.NewShops(c.Shop.Name, c.Shared.Shops)
	if err != nil {
		return Result{}, err
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return Result{}, err
	}
	store, err := objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", c.Bucket)
	if err != nil {
		return Result{}, err
	}
	list, err := c.Erased.Read(ctx)
	if err != nil {
		return Result{}, err
	}
	stream := kinesisclient.New(cfg)
	return Run(ctx, store, shardwriter.New(stream, c.Name, retry.Sleep), shardreader.New(stream, c.Name), c.Name,
		shops, list, c.DryRun)
}

// String is the result in sentences.
func (r Result) String() string {
	verb, nothing := "Sent", "Nothing to send again."
	if r.DryRun {
		verb, nothing = "Would send", "Nothing would be sent again."
	}
	sentences := []string{nothing}
	if r.Sent > 0 {
		sentences[0] = fmt.Sprintf("%s %d events again: %d from quarantine, %d from failed batches.", verb, r.Sent,
			r.Quarantined, r.Failed)
	}
	if r.SentBefore > 0 {
		sentences = append(sentences, fmt.Sprintf("%d objects were sent before.", r.SentBefore))
	}
	if r.Meanwhile > 0 {
		sentences = append(sentences, fmt.Sprintf("%d objects came after this run had begun, and were left alone: if events "+
			"come back, their cause is not fixed yet.", r.Meanwhile))
	}
	if r.Unreadable > 0 {
		sentences = append(sentences, fmt.Sprintf("%d are still no event and stay in quarantine (%s).", r.Unreadable,
			reasons(r.Reasons)))
	}
	if r.OtherStreams > 0 {
		sentences = append(sentences, fmt.Sprintf("%d records are of other streams and were left alone.", r.OtherStreams))
	}
	if r.OtherShops > 0 {
		sentences = append(sentences,
			fmt.Sprintf("%d events are of other shops, whose functions answer them, and were left alone.", r.OtherShops))
	}
	if n := len(r.Strange); n > 0 {
		sentences = append(sentences, fmt.Sprintf("%d objects are not dead letters and were skipped, the first is %s.", n,
			r.Strange[0]))
	}
	if r.Erased > 0 {
		sentences = append(sentences, fmt.Sprintf("%d events are of persons who were erased, and were left alone.", r.Erased))
	}
	if len(r.Gone) > 0 {
		sentences = append(sentences, sayGone(r.Gone))
	}
	if r.Sent > 0 && !r.DryRun {
		sentences = append(sentences, "`verify` says when they are answered.")
	}
	return strings.Join(sentences, "\n")
}

func reasons(counts map[activity.Reason]int64) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b activity.Reason) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%s %d", k, counts[k])
	}
	return strings.Join(parts, ", ")
}
