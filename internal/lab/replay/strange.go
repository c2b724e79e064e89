package replay

import (
	"context"
	"fmt"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

const (
	// mostAsked is how many products the live model is asked for: enough to notice another kind of id.
	mostAsked = 1000
	// fewStrange is the share of products that may be new since last night.
	fewStrange = 0.05
)

// warn says at once, before anything is sent, when the live model does not know the products that the
// events will name. Without a vector database, or without a live version, it says nothing.
func warn(ctx context.Context, out *program.Output, db envconfig.PGVector, products []string) {
	if db.DSN == "" || len(products) == 0 {
		return
	}
	products = products[:min(len(products), mostAsked)]
	version, unknown, err := unknownTo(ctx, db, products)
	if err != nil {
		out.Log.DebugContext(ctx, "whether the live model knows the products is not checked", logkey.Error, err.Error())
		return
	}
	if float64(unknown) > fewStrange*float64(len(products)) {
		out.Log.WarnContext(ctx, fmt.Sprintf("the live model knows only %d of %d products that the events name: other "+
			"events are answered by popularity; are their ids those of the shop's column productCode?", len(products)-unknown,
			len(products)),
			logkey.ModelVersion, version)
	}
}

// unknownTo counts the products that the live version does not know.
func unknownTo(ctx context.Context, db envconfig.PGVector, products []string) (version string, unknown int, err error) {
	store, err := vectorstore.Open(ctx, db)
	if err != nil {
		return "", 0, err
	}
	defer store.Close()
	traffic, err := store.Traffic(ctx)
	if err != nil {
		return "", 0, err
	}
	found, err := store.Lookup(ctx, traffic.Live, products, nil, nil, activity.Order{})
	if err != nil {
		return "", 0, err
	}
	return traffic.Live.Version, len(products) - len(found.Items), nil
}

// productsOf are the different products of the first events of the files.
func productsOf(files []string) (products []string, err error) {
	seen := map[string]bool{}
	for _, name := range files {
		for data, err := range readLines(name) {
			if err != nil {
				return products, err
			}
			events, _ := eventsIn(data)
			for _, item := range events {
				for _, b := range item.Event.BrowseHistory {
					if code := string(b.ProductCode); !seen[code] {
						seen[code] = true
						products = append(products, code)
					}
				}
			}
			if len(products) >= mostAsked {
				return products, nil
			}
		}
	}
	return products, nil
}
