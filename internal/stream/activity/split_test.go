package activity

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

func gzipped(data string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(data)) // into memory
	_ = w.Close()
	return b.String()
}

// aggregate packs records as the Kinesis Producer Library does.
func aggregate(records ...string) string {
	var keys, list []byte
	for i, data := range records {
		keys = protowire.AppendString(protowire.AppendTag(keys, 1, protowire.BytesType), fmt.Sprintf("key-%d", i))
		var r []byte
		r = protowire.AppendVarint(protowire.AppendTag(r, 1, protowire.VarintType), uint64(i))
		r = protowire.AppendString(protowire.AppendTag(r, 3, protowire.BytesType), data)
		list = protowire.AppendBytes(protowire.AppendTag(list, 3, protowire.BytesType), r)
	}
	message := append(keys, list...)
	sum := md5.Sum(message)
	return string(kplMagic) + string(message) + string(sum[:])
}

func click(session string) string {
	return fmt.Sprintf(`{"session_id":%q,"browse_history":[]}`, session)
}

func TestReadSplits(t *testing.T) {
	t.Parallel()
	a, b := click("a"), click("b")
	p := Position{Stream: "clicks", Shard: "shard-0", SequenceNumber: "7", PartitionKey: "p"}
	for name, test := range map[string]struct {
		data string
		want []string // session, or reason of the fault, of each item
	}{
		"one event":                 {a, []string{"a"}},
		"with a byte order mark":    {"\xEF\xBB\xBF" + a, []string{"a"}},
		"gzipped":                   {gzipped(a), []string{"a"}},
		"lines":                     {a + "\n\r\n" + b + "\r\n", []string{"a", "b"}},
		"lines with a broken one":   {a + "\n{\"session_id\"\n" + b, []string{"a", "not_json", "b"}},
		"lines of one broken":       {"{\"session_id\":\n\"a\",\n", []string{"not_json"}},
		"one event of many lines":   {strings.ReplaceAll(a, ",", ",\n"), []string{"a"}},
		"an array":                  {"[" + a + " , " + b + "]", []string{"a", "b"}},
		"an array with a number":    {"\xEF\xBB\xBF [" + a + ",7]", []string{"a", "schema"}},
		"an array with half a pair": {`[{"session_id":"\ud800","browse_history":[]},` + b + "]", []string{"not_ijson", "b"}},
		"an empty array":            {"[]", []string{"schema"}},
		"a broken array":            {"[" + a + ",", []string{"not_json"}},
		"an aggregate":              {aggregate(a, b), []string{"a", "b"}},
		"an aggregate of envelopes": {aggregate(gzipped("["+a+","+b+"]"), "x", a+"\n"+b),
			[]string{"a", "b", "not_json", "a", "b"}},
		"a gzipped aggregate":        {gzipped(aggregate(a, b)), []string{"a", "b"}},
		"an aggregate of none":       {aggregate(), []string{"kpl_aggregated"}},
		"an aggregate cut off":       {aggregate(a)[:60], []string{"kpl_aggregated"}},
		"a damaged aggregate inside": {aggregate(a, aggregate(b)[:30]), []string{"a", "kpl_aggregated"}},
		"damaged gzip":               {gzipped(a)[:30], []string{"damaged"}},
		"gzip of too much":           {gzipped(strings.Repeat(" ", maxUnpacked+1)), []string{"too_large"}},
		"gzip in gzip for ever":      {gzipped(gzipped(gzipped(gzipped(gzipped(gzipped(a)))))), []string{"damaged"}},
		"too many":                   {"[" + strings.Repeat("1,", MaxParts+1) + "1]", []string{"too_large"}},
		"nothing":                    {"", []string{"not_json"}},
	} {
		items := Read(nil, p, []byte(test.data))
		var got []string
		ids := map[string]bool{}
		for i, item := range items {
			if item.Fault != nil {
				got = append(got, string(item.Fault.Reason))
			} else {
				got = append(got, item.Event.SessionID)
			}
			ids[EventID(item.Event, item.Position)] = true
			if item.Position.SubSequenceNumber != i {
				t.Errorf("%s: item %d has number %d", name, i, item.Position.SubSequenceNumber)
			}
		}
		if !slices.Equal(got, test.want) || len(ids) != len(items) {
			t.Errorf("%s: %q with %d ids, want %q", name, got, len(ids), test.want)
		}
	}
	if items := Read(nil, p, []byte(aggregate(a, b))); items[1].Position.PartitionKey != "key-1" {
		t.Errorf("partition key %q", items[1].Position.PartitionKey)
	}
}

// However events are packed, the same events come out in the same order.
func TestReadFindsEveryEventHoweverPacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var pack func(depth int) (string, []string)
		pack = func(depth int) (string, []string) {
			kind := rapid.IntRange(0, 5).Draw(t, "kind")
			if depth == 0 {
				kind = 0
			}
			switch kind {
			case 1, 2: // gzip, byte order mark before what is not packed
				data, of := pack(depth - 1)
				return gzipped(data), of
			case 3:
				var records, all []string
				for range rapid.IntRange(1, 4).Draw(t, "records") {
					data, of := pack(depth - 1)
					records, all = append(records, data), append(all, of...)
				}
				return aggregate(records...), all
			}
			var clicks, of []string
			for range rapid.IntRange(1, 4).Draw(t, "events") {
				session := rapid.StringMatching(`[a-zé😀]{1,8}`).Draw(t, "session")
				clicks, of = append(clicks, click(session)), append(of, session)
			}
			switch kind {
			case 4:
				return "\xEF\xBB\xBF[" + strings.Join(clicks, ",") + "]", of
			case 5:
				return strings.Join(clicks, "\n"), of
			}
			return clicks[0], of[:1]
		}
		data, want := pack(3)
		var got []string
		for _, item := range Read(nil, Position{}, []byte(data)) {
			if item.Fault != nil {
				t.Fatalf("%q: %v", data, item.Fault)
			}
			got = append(got, item.Event.SessionID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", data, got, want)
		}
	})
}

// FuzzRead holds that whatever comes is at least one item, and each an event or a fault.
// Its seeds are in testdata/fuzz/FuzzRead, where integration reads them too.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		items := Read(nil, Position{Stream: "s", Shard: "h", SequenceNumber: "1"}, data)
		if len(items) == 0 {
			t.Fatal("a record without a trace")
		}
		for i, item := range items {
			if (item.Event == nil) != (item.Fault != nil) || item.Position.SubSequenceNumber != i {
				t.Fatalf("item %d: %+v", i, item)
			}
			if again := Read(nil, item.Position, item.Data); item.Event != nil && (len(again) != 1 || again[0].Event == nil) {
				t.Fatalf("an event's own bytes are %d items", len(again))
			}
		}
	})
}
