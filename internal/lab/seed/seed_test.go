package seed

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kindred/internal/lab/shopsystem"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/vectorfile"
	"kindred/internal/platform/program"
)

func TestHelpNamesTheDefaultDrift(t *testing.T) {
	t.Parallel()
	field, _ := reflect.TypeFor[Generate]().FieldByName("Drift")
	want := fmt.Sprintf("Default: %v.", simulation.DefaultConfig(1).Drift)
	if help := field.Tag.Get("help"); !strings.HasSuffix(help, want) {
		t.Errorf("help %q does not end with %q", help, want)
	}
}

// TestBadConfigurationIsOneSentence needs no service: each of these ends before anything is reached.
func TestBadConfigurationIsOneSentence(t *testing.T) {
	t.Parallel()
	lake := "file://" + t.TempDir()
	const dsn = "root:hunter2@tcp(127.0.0.1:1)/shop"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"scale", []string{"generate", "--scale", "0"}, "--scale is 0"},
		{"drift", []string{"generate", "--drift=-1"}, "drift is -1"},
		{"no lake", []string{"generate", "--scale", "0.01", "--lake", "", "--mysql-dsn", dsn},
			"LAKE_BUCKET is not set"},
		{"no database", []string{"generate", "--scale", "0.01", "--lake", lake, "--mysql-dsn", ""}, "MYSQL_DSN is not set"},
		{"bad lake", []string{"generate", "--scale", "0.01", "--lake", "ftp://x", "--mysql-dsn", dsn}, "ftp://x"},
		{"system", []string{"system", "oscommerce"}, `there is no system "oscommerce", want one of [woocommerce magento2`},
		{"release", []string{"system", "prestashop", "--release", "1.4"},
			`prestashop has no version "1.4", want one of [1.6 1.7 8 9]`},
		{"prefix", []string{"system", "sylius", "--prefix", "x_"}, "the tables of sylius have no prefix"},
		{"orders", []string{"system", "sylius", "--orders", "0"}, "orders is 0"},
		{"folder", []string{"import", t.TempDir()}, "u.data + u.item"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, problems bytes.Buffer
			code := program.Run(t.Context(), "seed", Description, &Command{}, tt.args, &out, &problems)
			if code != 2 || !strings.Contains(problems.String(), tt.want) || strings.Contains(problems.String(), "hunter2") ||
				out.Len() > 0 {
				t.Errorf("exit %d, stderr %q", code, problems.String())
			}
		})
	}
}

func TestHelpNamesEverySystem(t *testing.T) {
	t.Parallel()
	var out, problems bytes.Buffer
	program.Run(t.Context(), "seed", Description, &Command{}, []string{"system", "--help"}, &out, &problems)
	help := strings.Join(strings.Fields(out.String()), " ")
	for _, name := range shopsystem.Systems() {
		if !strings.Contains(help, name) {
			t.Errorf("%s is not in: %s", name, help)
		}
	}
}

// TestDescriptionsAreAFileOfVectors reads the file as `train --embeddings` does.
func TestDescriptionsAreAFileOfVectors(t *testing.T) {
	t.Parallel()
	shop, err := simulation.New(simulation.DefaultConfig(0.02))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "descriptions.csv")
	if err := writeDescriptions(name, shop); err != nil {
		t.Fatal(err)
	}
	v, err := vectorfile.Read(name, "")
	if err != nil {
		t.Fatal(err)
	}
	want := shop.Descriptions(descriptionDims)
	for i, p := range shop.Products() {
		if v.IDs[i] != p.Code || !slices.Equal(v.Vector(i), want[i]) {
			t.Fatalf("product %s has %v, want %v of %s", v.IDs[i], v.Vector(i), want[i], p.Code)
		}
	}
}
