package plantedshop_test

import (
	"encoding/json"
	"strings"
	"testing"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

func TestShopIsKnownAgainFromItsRecordAndNoOther(t *testing.T) {
	t.Parallel()
	lake := objectstore.NewFolder(t.TempDir())
	if record, err := plantedshop.Read(t.Context(), lake); record != nil || err != nil {
		t.Fatalf("empty lake: %s, %v", record, err)
	}
	cfg := simulation.DefaultConfig(0.02)
	written, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lake.Put(t.Context(), envconfig.PlantedShopKey, strings.NewReader(string(written)), int64(len(written)),
		objectstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	record, err := plantedshop.Read(t.Context(), lake)
	if err != nil {
		t.Fatal(err)
	}
	made, err := simulation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := plantedshop.Shop(record, made.Products())
	if err != nil || again == nil {
		t.Fatalf("its own products: %v, %v", again, err)
	}
	customer, product := made.Customers()[3].ID, made.Products()[5].Code
	if again.Affinity(customer, product) != made.Affinity(customer, product) {
		t.Error("the tastes differ")
	}
	if other, err := plantedshop.Shop(record, made.Products()[1:]); other != nil || err != nil {
		t.Errorf("another shop's products: %v, %v", other, err)
	}
	if none, err := plantedshop.Shop(nil, made.Products()); none != nil || err != nil {
		t.Errorf("no record: %v, %v", none, err)
	}
	if _, err := plantedshop.Shop([]byte("{"), made.Products()); err == nil {
		t.Error("a damaged record passed")
	}
}
