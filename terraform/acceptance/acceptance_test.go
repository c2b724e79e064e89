// Package acceptance contains the tests of terraform/ that take minutes: make tf-verify, tf-moto,
// tf-calls and tf-local-test run them. With `go test -short` nothing runs here. Otherwise a missing
// tool or server fails a test. No test skips.
package acceptance

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"kindred/terraform/tf/promotion"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("Terraform's tests take minutes: run `make tf-verify`, `make tf-moto`, `make tf-local-test`")
		return
	}
	// If there is a mirror of the provider next to the repository, the tests need no network.
	mirror := filepath.Join("..", "..", "..", "shared", "terraform-mirror")
	if _, err := os.Stat(mirror); err == nil && os.Getenv(promotion.MirrorVariable) == "" {
		if mirror, err = filepath.Abs(mirror); err == nil {
			err = os.Setenv(promotion.MirrorVariable, mirror)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
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
