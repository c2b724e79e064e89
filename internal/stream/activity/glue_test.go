package activity

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestGlueKnowsWhatRecordsHave: the columns of Glue's table that a record adds to its event have all fields of the
// record, in their order, with types that hold their values.
func TestGlueKnowsWhatRecordsHave(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile(filepath.Join("..", "..", "..", "terraform", "modules", "etl", "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	of := reflect.TypeFor[answer]()
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		want := hiveType(t, of.Field(i).Type)
		if name == "recommendation" { // its last member is written behind the others
			want = strings.TrimSuffix(want, ">") + ",crc32c:string>"
		}
		if column := `["` + name + `", "` + want + `"]`; !strings.Contains(string(table), column) {
			t.Errorf("the table lacks the column %s", column)
		}
	}
}

// hiveType is the type of a column that holds the JSON of such values.
func hiveType(t *testing.T, of reflect.Type) string {
	t.Helper()
	switch {
	case of == reflect.TypeFor[time.Time](), of.Kind() == reflect.String:
		return "string"
	case of.Kind() == reflect.Pointer:
		return hiveType(t, of.Elem())
	case of.Kind() == reflect.Slice:
		return "array<" + hiveType(t, of.Elem()) + ">"
	case of.Kind() == reflect.Struct:
		var fields []string
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name+":"+hiveType(t, of.Field(i).Type))
		}
		return "struct<" + strings.Join(fields, ",") + ">"
	}
	names := map[reflect.Kind]string{reflect.Float32: "double", reflect.Float64: "double", reflect.Int: "int",
		reflect.Bool: "boolean"}
	name, known := names[of.Kind()]
	if !known {
		t.Fatalf("no column holds %v", of)
	}
	return name
}
