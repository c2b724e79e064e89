package erase

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"kindred/localstack/settings"
)

// Every prefix and key that programs share, and Firehose's, has its place. A new data set fails here until somebody has
// said what it holds of persons.
func TestTheInventoryKnowsEveryDataSet(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../platform/envconfig/envconfig.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	prefixes := []string{s.Delivery.Prefix, s.Delivery.ErrorPrefix}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasSuffix(spec.Names[0].Name, "Prefix") && !strings.HasSuffix(spec.Names[0].Name, "Key") {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no literal", spec.Names[0].Name)
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		prefixes = append(prefixes, value)
		return true
	})
	if len(prefixes) < 12 {
		t.Fatalf("only %v were found", prefixes)
	}
	for _, prefix := range prefixes {
		known := false
		for _, p := range places {
			known = known || strings.HasPrefix(strings.TrimSuffix(prefix, "/")+"/", p.prefix)
		}
		if !known {
			t.Errorf("the inventory does not know %s: say in places what it holds of persons", prefix)
		}
	}
	if _, h := find(lake, "something/new.parquet"); h != unknown {
		t.Errorf("a new data set holds %v", h)
	}
	if _, h := find(artifacts, "model/run=m1/new.parquet"); h != unknown {
		t.Errorf("a new file of a version holds %v", h)
	}
}
