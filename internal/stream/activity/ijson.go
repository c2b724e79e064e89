package activity

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxNesting bounds how deep arrays and objects may lie in each other. A real event has four levels;
// Spark's and Athena's parsers stop at 1,000.
const MaxNesting = 64

// Names that mean something in an event, and in an entry of its browse_history. A name that differs
// from one of them by case alone is refused: some readers (Athena, Spark) hold both equal, others
// (DuckDB, kindred) do not.
var (
	eventNames = []string{"event_id", "type", "shop", "session_id", "customer_number", "city", "country", "credit_limit",
		"browse_history", "occurred_at", "kindred"}
	reservedNames = []string{"recommended_items", "similar_items", "recommendation"}
	browseNames   = []string{"product_code", "quantity", "in_shopping_cart", "purchased"}
)

// inspector looks at what a decoder of I-JSON (RFC 7493) does not look at: numbers that no double
// holds, nesting, NUL, and names in another case. It reads valid JSON once and allocates nothing.
type inspector struct {
	data     []byte
	depth    int
	isObject [MaxNesting + 1]bool
	name     bool // the next string is a member's name
	history  bool // below browse_history
}

// inspect returns the first fault of valid JSON, nil when there is none.
func inspect(data []byte) *Fault {
	in := inspector{data: data}
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			end := stringEnd(data, i)
			if fault := in.text(data[i+1:end], i); fault != nil {
				return fault
			}
			i = end
		case c == '{' || c == '[':
			if in.depth++; in.depth > MaxNesting {
				return &Fault{ReasonNotIJSON, fmt.Sprintf("the JSON is nested deeper than %d levels at byte %d", MaxNesting, i)}
			}
			in.isObject[in.depth], in.name = c == '{', c == '{'
		case c == '}' || c == ']':
			in.depth--
			in.name = false
		case c == ',':
			in.name = in.isObject[in.depth]
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(data) && isNumber(data[end]) {
				end++
			}
			if !fitsDouble(data[i:end]) {
				return &Fault{ReasonNotIJSON, fmt.Sprintf("the number at byte %d is beyond the range or the precision of a "+
					"double (RFC 7493); send it as a string", i)}
			}
			i = end - 1
		}
	}
	return nil
}

// text looks at a string without its quotes, which opens at byte at.
func (in *inspector) text(s []byte, at int) *Fault {
	if bytes.IndexByte(s, '\\') >= 0 && hasNUL(s) {
		return &Fault{ReasonNotIJSON, fmt.Sprintf("the text at byte %d holds a NUL (\\u0000), which no database stores", at)}
	}
	if !in.name {
		return nil
	}
	in.name = false
	if in.depth != 1 && (in.depth != 3 || !in.history) {
		return nil
	}
	if bytes.IndexByte(s, '\\') >= 0 {
		s, _ = jsontext.AppendUnquote(nil, in.data[at:at+len(s)+2]) // it is valid
	}
	if in.depth == 3 {
		return otherCase(s, browseNames, "browse_history.")
	}
	in.history = string(s) == "browse_history"
	for _, name := range reservedNames {
		if len(name) == len(s) && strings.EqualFold(name, string(s)) {
			return &Fault{ReasonSchema,
				"the fields recommended_items, similar_items and recommendation are reserved for the answer"}
		}
	}
	return otherCase(s, eventNames, "")
}

// otherCase refuses a name that is one of names but for its case.
func otherCase(s []byte, names []string, path string) *Fault {
	for _, name := range names {
		if len(name) != len(s) {
			continue
		}
		if name == string(s) {
			return nil
		}
		if strings.EqualFold(name, string(s)) {
			return &Fault{ReasonSchema, "a field's name differs from " + path + name + " only by case; write " + path + name}
		}
	}
	return nil
}

// hasNUL finds the escape \u0000 in a string's text.
func hasNUL(s []byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(s[i+1:], []byte("u0000")) {
			return true
		}
		i++ // what it escapes is no escape itself
	}
	return false
}

// stringEnd is where the string that opens at i closes.
func stringEnd(valid []byte, i int) int {
	for i++; i < len(valid) && valid[i] != '"'; i++ {
		if valid[i] == '\\' {
			i++ // what it escapes is no closing quote
		}
	}
	return min(i, len(valid)-1)
}

func isNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// fitsDouble says whether a double (IEEE 754, as RFC 7493 has it) holds a number: an integer
// exactly, any other with up to 17 digits, which name each double.
func fitsDouble(literal []byte) bool {
	const exact = 15 // digits that every double of that size keeps
	if len(literal) <= exact && !bytes.ContainsAny(literal, "eE") {
		return true
	}
	text := string(literal)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	mantissa, _, scientific := strings.Cut(strings.ToLower(text), "e")
	if !scientific && !strings.Contains(mantissa, ".") {
		return strconv.FormatFloat(f, 'f', 0, 64) == text
	}
	digits := strings.Trim(strings.NewReplacer(".", "", "-", "").Replace(mantissa), "0")
	return len(digits) <= 17 && (f != 0 || digits == "")
}
