package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// jsonSample is how many lines are looked at to learn which keys there are.
const jsonSample = 1000

// jsonRowsReader reads one JSON object a line. A text is its characters, a number its digits as they
// are written, a list or an object its JSON.
type jsonRowsReader struct {
	sheet  *sheet
	lines  *bufio.Scanner
	line   int
	values []string
	places map[string]int
}

func newJSONRows(s *sheet, in io.Reader) *jsonRowsReader {
	j := &jsonRowsReader{sheet: s, lines: bufio.NewScanner(in), values: make([]string, len(s.columns)),
		places: map[string]int{}}
	j.lines.Buffer(make([]byte, 0, 1<<16), mostLine)
	for i, name := range s.columns {
		j.places[name] = i
	}
	return j
}

func (j *jsonRowsReader) next(r *row) error {
	object, err := j.object()
	if err != nil {
		return err
	}
	clear(j.values)
	for key, value := range object {
		if place, known := j.places[key]; known {
			j.values[place] = jsonText(value)
		}
	}
	r.values, r.line = j.values, j.line
	return nil
}

// object reads the next line that is not empty.
func (j *jsonRowsReader) object() (map[string]json.RawMessage, error) {
	for j.lines.Scan() {
		j.line++
		line := bytes.TrimSpace(j.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(line, &object); err != nil {
			column := ""
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
				column = fmt.Sprintf(", column %d", syntax.Offset)
			}
			return nil, fmt.Errorf("line %d%s is not one JSON object; each line must be one", j.line, column)
		}
		return object, nil
	}
	if err := j.lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", j.line+1, err)
	}
	return nil, io.EOF
}

func jsonText(value json.RawMessage) string {
	if len(value) > 0 && value[0] == '"' {
		var text string
		if json.Unmarshal(value, &text) == nil {
			return text
		}
	}
	if string(value) == "null" {
		return ""
	}
	return string(value)
}

// jsonColumns are the keys of the first lines, in order.
func jsonColumns(in io.Reader) (names []string, err error) {
	j := newJSONRows(&sheet{}, in)
	seen := map[string]bool{}
	for range jsonSample {
		object, err := j.object()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for key := range object {
			seen[key] = true
		}
	}
	for key := range seen {
		names = append(names, key)
	}
	slices.Sort(names)
	return names, nil
}

// list is the texts of a JSON list, such as categories; of anything else one text, and none of "".
func list(text string) (all []string) {
	if strings.HasPrefix(text, "[") {
		var values []any
		if json.Unmarshal([]byte(text), &values) == nil {
			for _, v := range values {
				switch v := v.(type) {
				case string:
					all = append(all, v)
				case []any: // Amazon's paths of categories
					for _, part := range v {
						if s, ok := part.(string); ok {
							all = append(all, s)
						}
					}
				}
			}
			return all
		}
	}
	if text != "" {
		all = append(all, text)
	}
	return all
}
