package erase

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"

	"kindred/internal/lake/linefile"
	"kindred/internal/lake/rowfilter"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// whose says whether what names a customer and a session, "" for none, is of somebody who is looked for.
type whose func(customer, session string) bool

// hits are what an object holds of persons: how many rows, and for an export the rows themselves.
type hits struct {
	rows int64
	held []any
}

func (h *hits) add(row any) { h.rows, h.held = h.rows+1, append(h.held, row) }

// columnsOf finds the columns of a Parquet file that name persons.
func columnsOf(data []byte) (c rowfilter.Columns, err error) {
	c.Customer, err = rowfilter.First(bytes.NewReader(data), int64(len(data)), "customerNumber", "customer_number",
		"customer", "id")
	if err != nil {
		return c, err
	}
	c.Session, err = rowfilter.First(bytes.NewReader(data), int64(len(data)), "session_id", "session")
	return c, err
}

// rowsOf are the numbers of a Parquet file's rows that are theirs.
func rowsOf(data []byte, theirs whose) ([]int64, error) {
	columns, err := columnsOf(data)
	if err != nil {
		return nil, err
	}
	found, _, err := rowfilter.Find(bytes.NewReader(data), int64(len(data)), columns, theirs)
	return found, err
}

// withoutRows is a Parquet file without rows.
func withoutRows(data []byte, without []int64) ([]byte, int64, error) {
	var out bytes.Buffer
	kept, err := rowfilter.Copy(bytes.NewReader(data), int64(len(data)), &out, without)
	return out.Bytes(), kept, err
}

// withoutLines is a CSV file without the lines whose first field is theirs; the first line has the names.
func withoutLines(data []byte, theirs whose, found *hits) (rest []byte, kept int64, err error) {
	var out bytes.Buffer
	w, r := csv.NewWriter(&out), csv.NewReader(bytes.NewReader(data))
	for first := true; ; first = false {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			w.Flush()
			return out.Bytes(), kept, w.Error()
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read CSV: %w", err)
		}
		if !first && theirs(line[0], "") {
			found.add(line)
			continue
		}
		if !first {
			kept++
		}
		if err := w.Write(line); err != nil {
			return nil, 0, err
		}
	}
}

// withoutRecords is a file of records, or of Firehose's failures, without their lines; unpack finds the event of a
// line. What was gzipped is gzipped.
func withoutRecords(data []byte, unpack func(line []byte) []byte, theirs whose, found *hits) (rest []byte, err error) {
	var out bytes.Buffer
	for line, err := range linefile.Lines(bytes.NewReader(data)) {
		if err != nil {
			return nil, fmt.Errorf("read lines: %w", err)
		}
		if theirs(personOf(unpack(line))) {
			found.add(shown(line))
			continue
		}
		out.Write(append(line, '\n'))
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) || out.Len() == 0 {
		return out.Bytes(), nil
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err = z.Write(out.Bytes())
	return zipped.Bytes(), errors.Join(err, z.Close())
}

func asItIs(line []byte) []byte { return line }

// rawData is the record in a line of Firehose's failures.
func rawData(line []byte) []byte {
	var failure struct {
		RawData []byte `json:"rawData"`
	}
	if json.Unmarshal(line, &failure) != nil {
		return line
	}
	return failure.RawData
}

func shown(line []byte) any {
	if json.Valid(line) {
		return json.RawMessage(bytes.Clone(line))
	}
	return string(line)
}

// What names a person in what is no JSON.
var (
	customerText = regexp.MustCompile(`"customer_number"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)`)
	sessionText  = regexp.MustCompile(`"session_id"\s*:\s*("(?:[^"\\]|\\.)*")`)
)

// personOf are the customer and the session that an event or a record names, however damaged it is.
func personOf(event []byte) (customer, session string) {
	var named struct {
		Customer json.RawMessage `json:"customer_number"`
		Session  json.RawMessage `json:"session_id"`
	}
	if json.Unmarshal(event, &named) != nil {
		if m := customerText.FindSubmatch(event); m != nil {
			named.Customer = m[1]
		}
		if m := sessionText.FindSubmatch(event); m != nil {
			named.Session = m[1]
		}
	}
	return idOf(named.Customer), idOf(named.Session)
}

// idOf reads an id as activity.ID does, and a whole number however it is written.
func idOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(raw, &number) != nil {
		return ""
	}
	if f, err := number.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return number.String()
}

// withoutLetters is a dead letter without their events; nil: nothing is left of it. An event that others share a
// record with is replaced by one that nobody can read, so that the others keep their places.
func withoutLetters(key string, data []byte, theirs whose, found *hits) (rest []byte, err error) {
	letter, err := deadletter.Read(key, data)
	if err != nil { // not ours; but it may name somebody
		if theirs(personOf(data)) {
			found.add(shown(data))
			return nil, nil
		}
		return data, nil // verify reports what is strange
	}
	var left [][]byte // of each record; nil: it goes
	for _, record := range letter.Records() {
		left = append(left, recordWithout(record, theirs, found))
	}
	changed := slices.ContainsFunc(left, func(d []byte) bool { return d == nil })
	for i, record := range letter.Records() {
		changed = changed || !bytes.Equal(left[i], record.Data)
	}
	switch {
	case !changed:
		return data, nil
	case letter.Quarantined != nil || !slices.ContainsFunc(left, func(d []byte) bool { return d != nil }):
		return nil, nil
	}
	return repack(data, left)
}

// gone stands for an event that was taken out of a record with others. It is no event.
var gone = []byte(`{"erased":true}`)

// recordWithout is a record without their events; nil: none is left.
func recordWithout(record deadletter.Record, theirs whose, found *hits) []byte {
	var events [][]byte
	kept := false
	items := activity.Read(nil, record.Position, record.Data)
	for _, item := range items {
		if theirs(personOf(item.Data)) {
			found.add(shown(item.Data))
			events = append(events, gone)
			continue
		}
		events, kept = append(events, item.Data), true
	}
	switch {
	case !kept && len(items) > 0:
		return nil
	case !slices.ContainsFunc(events, func(e []byte) bool { return bytes.Equal(e, gone) }):
		return record.Data
	}
	return bytes.Join(events, []byte("\n"))
}

// repack writes a failed batch with other records: left has an entry for each, and nil for those that go.
func repack(data []byte, left [][]byte) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	var text string
	isText := json.Unmarshal(object["payload"], &text) == nil // as AWS writes it
	if isText {
		object["payload"] = []byte(text)
	}
	var payload struct {
		Records []map[string]any `json:"Records"`
	}
	if err := json.Unmarshal(object["payload"], &payload); err != nil {
		return nil, err
	}
	rest := []map[string]any{}
	for i, record := range payload.Records {
		kinesis, ok := record["kinesis"].(map[string]any)
		if left[i] == nil || !ok {
			continue
		}
		kinesis["data"] = left[i]
		rest = append(rest, record)
	}
	packed, err := json.Marshal(map[string]any{"Records": rest})
	if err == nil && isText {
		packed, err = json.Marshal(string(packed))
	}
	if err != nil {
		return nil, err
	}
	object["payload"] = packed
	return json.Marshal(object)
}

// namedCustomer is how package shop names customers in examples.
var namedCustomer = regexp.MustCompile(`customer (-?[0-9]+|"(?:[^"\\]|\\.)*")`)

// examplesOf counts the mentions of them in a manifest or a plan.
func examplesOf(data []byte, theirs whose, found *hits) {
	var texts []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	var document any
	if json.Unmarshal(data, &document) != nil {
		return
	}
	walk(document)
	for _, text := range texts {
		for _, m := range namedCustomer.FindAllStringSubmatch(text, -1) {
			id, err := strconv.Unquote(m[1])
			if err != nil {
				id = m[1]
			}
			if theirs(id, "") {
				found.add(text)
			}
		}
	}
}

// withoutExamples are a manifest's details without examples.
func withoutExamples(details json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(details, &members) != nil || members["examples"] == nil {
		return details
	}
	delete(members, "examples")
	rest, err := json.Marshal(members)
	if err != nil {
		return details
	}
	return rest
}

// showRows keeps the rows of these numbers.
func showRows(data []byte, numbers []int64, found *hits) error {
	return rowfilter.Show(bytes.NewReader(data), int64(len(data)), numbers, func(row map[string]any) {
		found.held = append(found.held, row)
	})
}
