package activity_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kindred/internal/platform/golden"
	"kindred/internal/stream/activity"
)

// TestSchemaOfTypedEvents: the JSON Schema accepts the events that Parse accepts, and refuses those that
// Parse refuses, except where only Parse can tell.
func TestSchemaOfTypedEvents(t *testing.T) {
	t.Parallel()
	compiled := mustSchema(t)
	for _, name := range []string{"product", "customer", "interaction"} {
		example, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		checkSchema(t, compiled, string(example))
	}
	for _, event := range []string{
		`{"type":"product","product_code":7,"stock":-3}`, `{"type":"product","product_code":7,"price":"1.23456"}`,
		`{"type":"product","product_code":7}`, `{"type":"product","product_code":"","stock":1}`,
		`{"type":"product","stock":1}`, `{"type":"product","product_code":7,"price":-1}`,
		`{"type":"product","product_code":7,"categories":[1]}`, `{"type":"product","product_code":7,"hidden":null}`,
		`{"type":"product","product_code":7,"attributes":{"a":[]}}`, `{"type":"product","product_code":7,"name":7}`,
		`{"type":"product","product_code":7,"stock":1,"occurred_at":"now"}`,
		`{"type":"product","product_code":7,"stock":1,"recommended_items":[]}`,
		`{"type":"customer","customer_number":7,"forget":true}`, `{"type":"customer","customer_number":7,"forget":false}`,
		`{"type":"customer","forget":true}`, `{"type":"customer","customer_number":7}`,
		`{"type":"customer","customer_number":7,"forget":true,"x":1}`,
		`{"type":"customer","customer_number":7,"forget":true,"city":null}`,
		`{"type":"customer","customer_number":7,"forget":true,"credit_limit":1}`,
		`{"type":"customer","customer_number":7,"forget":true,"hide":["a"]}`,
		`{"type":"customer","customer_number":7,"forget":true,"hide":[],"show":[]}`,
		`{"type":"customer","customer_number":"ü","hide":[1,"a"],"forget":false}`,
		`{"type":"customer","customer_number":7,"show":[]}`, `{"type":"customer","customer_number":7,"hide":[""]}`,
		`{"type":"customer","customer_number":7,"hide":"a"}`, `{"type":"customer","customer_number":7,"city":null}`,
		`{"type":"customer","customer_number":7,"city":3}`, `{"type":"customer","customer_number":7,"country":""}`,
		`{"type":"interaction","kind":"view","product_code":7}`,
		`{"type":"interaction","kind":"view","product_code":7,"session_id":"s","quantity":"3"}`,
		`{"type":"interaction","kind":"look","product_code":7,"session_id":"s"}`,
		`{"type":"interaction","kind":"view","session_id":"s"}`, `{"type":"interaction","product_code":7,"session_id":"s"}`,
		`{"type":"interaction","kind":"rating","product_code":7,"customer_number":7}`,
		`{"type":"interaction","kind":"rating","product_code":7,"customer_number":7,"value":4.5}`,
		`{"type":"interaction","kind":"cart","product_code":7,"customer_number":7,"value":null,"quantity":-1}`,
		`{"type":"interaction","kind":"cart","product_code":7,"customer_number":"","session_id":"s"}`,
		`{"type":"click","session_id":"s"}`, `{"type":7}`,
	} {
		checkSchema(t, compiled, event)
	}
}

// TestWhatOnlyTheProgramChecks: docs/formats.md lists what the schema accepts and Parse refuses.
func TestWhatOnlyTheProgramChecks(t *testing.T) {
	t.Parallel()
	schema := mustSchema(t)
	for _, event := range []string{
		`{"type":"product","product_code":7,"stock":1,"stock":2}`,
		`{"type":"product","product_code":7,"stock":1,"occurred_at":"1960-01-01T00:00:00Z"}`,
		`{"type":"product","product_code":7,"stock":1,"first_position":7}`,
		`{"type":"product","product_code":7.0,"stock":1}`, `{"type":"product","product_code":7,"stock":1.0}`,
		`{"type":"product","product_code":7,"price":1.23456}`,
		`{"type":"interaction","kind":"view","product_code":7,"session_id":"s","quantity":"9999999999"}`,
		`{"type":"product","product_code":"` + strings.Repeat("ü", 100) + `","stock":1}`,
		`{"type":"product","product_code":"a\u0000","stock":1}`,
		`{"type":"customer","customer_number":7,"hide":["a"` + strings.Repeat(`,"a"`, 500) + `],"show":["b"` +
			strings.Repeat(`,"b"`, 500) + `]}`,
		`{"type":"customer","customer_number":7,"hide":["a"],"show":["a"]}`,
		`{"type":"product","product_code":7,"stock":1,"session_id":4}`,
		`{"type":"product","product_code":7,"stock":1,"Price":1}`,
	} {
		if accepted, err := judge(t, schema, event); accepted != nil || err == nil {
			t.Errorf("%.200s: the schema says %v, and Parse %v", event, accepted, err)
		}
	}
}

func mustSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := os.ReadFile("testdata/typed.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "typed.schema.json", schema)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("typed.json", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("typed.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func checkSchema(t *testing.T, schema *jsonschema.Schema, event string) {
	t.Helper()
	if err, refused := judge(t, schema, event); (err == nil) != (refused == nil) {
		t.Errorf("%s: the schema says %v, and Parse %v", event, err, refused)
	}
}

// judge asks the schema and Parse for their faults.
func judge(t *testing.T, schema *jsonschema.Schema, event string) (bySchema, byParse error) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	_, byParse = activity.Parse([]byte(event))
	return schema.Validate(value), byParse
}
