// Package acceptance holds the tests of terraform/ that take minutes: make tf-verify, tf-moto and
// tf-local-test run them. With `go test -short` nothing runs here; otherwise a missing part fails a
// test, it never skips.
package acceptance

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"kindred/terraform/tf/promotion"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("Terraform's tests take minutes: run `make tf-verify`, `make tf-moto`, `make tf-local-test`")
		return
	}
	os.Exit(m.Run())
}

func mustOpen(t *testing.T) *promotion.Workspace {
	t.Helper()
	w, err := promotion.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w
}
