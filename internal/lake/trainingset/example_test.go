package trainingset_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
)

// A training set is written to a local folder, committed, and read back whole.
func Example() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	set, err := writeAndRead(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	rating := set.Interactions[0]
	fmt.Println(set.Customers[rating.Customer].City, set.Products[rating.Product].Code, rating.Stars)
	// Output: Nantes S10_1678 4
}

func writeAndRead(ctx context.Context, dir string) (*trainingset.Set, error) {
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return nil, err
	}
	w := trainingset.NewWriter(files, trainingset.Keys{})
	err := errors.Join(
		w.Customers([]shop.Customer{{ID: "103", Name: "Atelier", City: "Nantes", Country: "France"}}),
		w.Products([]shop.Product{{Code: "S10_1678", Name: "Harley", Line: "Motorcycles", BuyPrice: 48_81}}),
		w.Rating(trainingset.Rating{Customer: 0, Product: 0, Stars: 4, RatedAt: trainingset.NoTime}))
	if err != nil {
		return nil, errors.Join(err, w.Abandon())
	}
	draft, err := w.Close()
	if err != nil {
		return nil, err
	}
	repo := commit.NewRepository(objectstore.NewFolder(filepath.Join(dir, "lake")), "training-set")
	m, _, err := repo.Commit(ctx, draft)
	if err != nil {
		return nil, err
	}
	return trainingset.Read(ctx, repo, m, dir)
}
