package activity

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const seedEvent = `{"session_id":"a1","customer_number":103,"city":"Nantes","country":"France","credit_limit":21000,
 "browse_history":[{"product_code":"S18_1749","quantity":"3","in_shopping_cart":true,"purchased":true},
 {"product_code":"S24_2022","quantity":1,"in_shopping_cart":false}]}`

func TestParseSeedEvent(t *testing.T) {
	t.Parallel()
	got, err := Parse([]byte(seedEvent))
	if err != nil {
		t.Fatal(err)
	}
	number, credit := ID("103"), 21000.0
	want := &Event{SessionID: "a1", CustomerID: &number, City: "Nantes", Country: "France", CreditLimit: &credit,
		BrowseHistory: []Browse{{"S18_1749", 3, true, true}, {"S24_2022", 1, false, false}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	entry := `{"product_code":"a","quantity":"1"}`
	for name, event := range map[string]string{
		"anonymous, nothing browsed": `{"session_id":"s","browse_history":[]}`,
		"nulls":                      `{"session_id":"s","customer_number":null,"browse_history":[{"product_code":"a","quantity":null}]}`,
		"unknown fields":             `{"session_id":"s","browse_history":[],"device":{"os":"x","recommendation":1},"n":1e300}`,
		"64 levels": `{"session_id":"s","browse_history":[],"x":` + strings.Repeat("[", 63) +
			strings.Repeat("]", 63) + `}`,
		"numbers that doubles hold":  `{"session_id":"s","browse_history":[],"x":[9007199254740992,-9007199254740991,0.10000000000000001,1e20,100000000000000000000,0e9,-0]}`,
		"an escaped name":            `{"session\u005fid":"s","browse_history":[]}`,
		"a pair of surrogates":       `{"session_id":"\ud83d\ude00","browse_history":[]}`,
		"names of other objects":     `{"session_id":"s","browse_history":[],"x":{"City":1,"city":2,"SESSION_ID":[{"Quantity":1}]}}`,
		"white space around":         "\n {\"session_id\":\"s\",\"browse_history\":[]} \r\n",
		"whole numbers with a point": `{"session_id":"s","customer_number":-7,"browse_history":[{"product_code":"a","quantity":3.0},{"product_code":"b","quantity":1e2}]}`,
		"a customer of 128 bytes": `{"session_id":"s","customer_number":"` + strings.Repeat("é", 64) +
			`","browse_history":[]}`,
		"the largest numbers": `{"session_id":"s","customer_number":9007199254740991,"browse_history":[{"product_code":-9007199254740991}]}`,
		"256 wide characters": `{"session_id":"` + strings.Repeat("é", MaxID) + `","browse_history":[]}`,
		"10,000 entries": `{"session_id":"s","browse_history":[` + strings.Repeat(entry+",", MaxBrowseHistory-1) +
			entry + `]}`,
	} {
		if _, err := Parse([]byte(event)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxID+1)
	for name, test := range map[string]struct {
		data   string
		reason Reason
	}{
		"empty":       {"", ReasonNotJSON},
		"text":        {"hello", ReasonNotJSON},
		"truncated":   {seedEvent[:60], ReasonNotJSON},
		"two objects": {seedEvent + seedEvent, ReasonNotJSON},
		"not UTF-8":   {"{\"session_id\":\"\xff\",\"browse_history\":[]}", ReasonNotUTF8},
		"too large": {`{"session_id":"s","browse_history":[],"x":"` + strings.Repeat("x", MaxEventBytes) + `"}`,
			ReasonTooLarge},
		"null":                   {"null", ReasonSchema},
		"list":                   {"[]", ReasonSchema},
		"number":                 {"7", ReasonSchema},
		"no session":             {`{"browse_history":[]}`, ReasonSchema},
		"empty session":          {`{"session_id":"","browse_history":[]}`, ReasonSchema},
		"long session":           {`{"session_id":"` + long + `","browse_history":[]}`, ReasonSchema},
		"long event id":          {`{"session_id":"s","event_id":"` + long + `","browse_history":[]}`, ReasonSchema},
		"session is a number":    {`{"session_id":7,"browse_history":[]}`, ReasonSchema},
		"no history":             {`{"session_id":"s"}`, ReasonSchema},
		"history is an object":   {`{"session_id":"s","browse_history":{}}`, ReasonSchema},
		"entry without code":     {`{"session_id":"s","browse_history":[{"quantity":1}]}`, ReasonSchema},
		"NUL in a product code":  {`{"session_id":"s","browse_history":[{"product_code":"S18\u0000"}]}`, ReasonNotIJSON},
		"half a surrogate pair":  {`{"session_id":"s","browse_history":[],"x":["\ud800"]}`, ReasonNotIJSON},
		"a pair in disorder":     {`{"session_id":"\udc00\ud800","browse_history":[]}`, ReasonNotIJSON},
		"a surrogate in UTF-8":   {"{\"session_id\":\"\xed\xa0\x80\",\"browse_history\":[]}", ReasonNotUTF8},
		"a name twice":           {`{"session_id":"s","browse_history":[],"session_id":"t"}`, ReasonNotIJSON},
		"a name twice, escaped":  {`{"session_id":"s","browse_history":[],"session\u005fid":"t"}`, ReasonNotIJSON},
		"an unknown name twice":  {`{"session_id":"s","browse_history":[],"x":{"a":1,"a":2}}`, ReasonNotIJSON},
		"a name in other case":   {`{"session_id":"s","browse_history":[],"Customer_Number":7}`, ReasonSchema},
		"escaped, in other case": {`{"session_id":"s","browse_history":[],"\u0043ity":"x"}`, ReasonSchema},
		"an entry's, other case": {`{"session_id":"s","browse_history":[{"product_code":"a","Quantity":7}]}`, ReasonSchema},
		"beyond a double":        {`{"session_id":"s","browse_history":[],"n":1e400}`, ReasonNotIJSON},
		"below a double":         {`{"session_id":"s","browse_history":[],"n":[-1e-400]}`, ReasonNotIJSON},
		"2^53+1":                 {`{"session_id":"s","browse_history":[],"n":9007199254740993}`, ReasonNotIJSON},
		"18 digits":              {`{"session_id":"s","browse_history":[],"n":0.123456789012345678}`, ReasonNotIJSON},
		"65 levels": {`{"session_id":"s","browse_history":[],"x":` + strings.Repeat("[", 64) +
			strings.Repeat("]", 64) + `}`, ReasonNotIJSON},
		"entry is a string": {`{"session_id":"s","browse_history":["S18"]}`, ReasonSchema},
		"negative quantity": {`{"session_id":"s","browse_history":[{"product_code":"a","quantity":-1}]}`, ReasonSchema},
		"broken quantity": {`{"session_id":"s","browse_history":[{"product_code":"a","quantity":"many"}]}`,
			ReasonSchema},
		"quantity of 2.5": {`{"session_id":"s","browse_history":[{"product_code":"a","quantity":2.5}]}`,
			ReasonSchema},
		"quantity beyond 31 bits": {`{"session_id":"s","browse_history":[{"product_code":"a","quantity":2147483648}]}`,
			ReasonSchema},
		"customer beyond 53 bits": {`{"session_id":"s","customer_number":9007199254740992,"browse_history":[]}`,
			ReasonSchema},
		"a customer of -0":      {`{"session_id":"s","customer_number":-0,"browse_history":[]}`, ReasonSchema},
		"a customer of no text": {`{"session_id":"s","customer_number":"","browse_history":[]}`, ReasonSchema},
		"a customer of 129 bytes": {`{"session_id":"s","customer_number":"` + strings.Repeat("é", 64) +
			`a","browse_history":[]}`, ReasonSchema},
		"a customer's list": {`{"session_id":"s","customer_number":[7],"browse_history":[]}`, ReasonSchema},
		"a product of 1e2":  {`{"session_id":"s","browse_history":[{"product_code":1e2}]}`, ReasonSchema},
		"a product of 129 bytes": {`{"session_id":"s","browse_history":[{"product_code":"` + strings.Repeat("x", 129) +
			`"}]}`, ReasonSchema},
		"a product of true": {`{"session_id":"s","browse_history":[{"product_code":true}]}`, ReasonSchema},
		"half a customer":   {`{"session_id":"s","customer_number":7.5,"browse_history":[]}`, ReasonSchema},
		"a customer of 7.0": {`{"session_id":"s","customer_number":7.0,"browse_history":[]}`, ReasonSchema},
		"a customer of 1e2": {`{"session_id":"s","customer_number":1e2,"browse_history":[]}`, ReasonSchema},
		"quantity of 2^31 by 2e9": {`{"session_id":"s","browse_history":[{"product_code":"a","quantity":2.2e9}]}`,
			ReasonSchema},
		"reserved field":       {`{"session_id":"s","browse_history":[],"recommendation":null}`, ReasonSchema},
		"reserved, other case": {`{"session_id":"s","browse_history":[],"Similar_Items":{}}`, ReasonSchema},
		"10,001 entries": {`{"session_id":"s","browse_history":[{"product_code":"a"}` +
			strings.Repeat(`,{"product_code":"a"}`, MaxBrowseHistory) + `]}`, ReasonSchema},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(test.data))
			var fault *Fault
			if !errors.As(err, &fault) || fault.Reason != test.reason {
				t.Fatalf("got %v, want reason %s", err, test.reason)
			}
			if fault.Message == "" {
				t.Error("no sentence")
			}
		})
	}
}

func TestFaultsTellNoValueOfTheEvent(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"session_id":"s","customer_number":987654.5,"browse_history":[]}`,
		`{"session_id":"s","customer_number":98765498765498765,"browse_history":[]}`,
		`{"session_id":"s","credit_limit":"987654","browse_history":[]}`,
		`{"session_id":"s","browse_history":[{"product_code":"a","quantity":"987654x"}]}`,
		`{"session_id":"s","browse_history":[]} 987654`,
	} {
		_, err := Parse([]byte(data))
		if err == nil || strings.Contains(err.Error(), "987654") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestFaultNamesTheField(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"session_id":"s","credit_limit":"x","browse_history":[]}`))
	if want := "schema: credit_limit is a string, which does not fit"; fmt.Sprint(err) != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	p := Position{Stream: "activity", Shard: "shardId-000000000000", SequenceNumber: "1"}
	if got := EventID(&Event{EventID: "own"}, p); got != "own" {
		t.Errorf("own id: got %q", got)
	}
	derived := EventID(nil, p)
	if derived != "evt-0fb89f01582acda639d04be400e77134" || derived != EventID(&Event{}, p) {
		t.Errorf("derived id: got %q", derived)
	}
	p.SequenceNumber = "2"
	if EventID(nil, p) == derived {
		t.Error("two records share an id")
	}
	if got := RecommendationID("own", ""); got != "rec-38f8b32456a5355dca166307768721ed" {
		t.Errorf("recommendation id: got %q", got)
	}
}

func TestNumberAndStringAreOneID(t *testing.T) {
	t.Parallel()
	for _, ids := range [][3]string{{`7`, `"7"`, "7"}, {`-12`, `"-12"`, "-12"}, {`"007"`, `"\u003007"`, "007"},
		{`"a b/c%2F"`, `"a b\/c%2F"`, "a b/c%2F"}} {
		for _, id := range ids[:2] {
			e, err := Parse([]byte(`{"session_id":"s","customer_number":` + id + `,"browse_history":[{"product_code":` + id +
				`}]}`))
			if err != nil || string(*e.CustomerID) != ids[2] || string(e.BrowseHistory[0].ProductCode) != ids[2] {
				t.Errorf("%s: %+v, %v, want %q", id, e, err, ids[2])
			}
		}
	}
}
