// Package placement reads the file in which a shop keeps its placements: YAML, with a rule set for each place on
// its pages. It owns the form of the file and says what is wrong with one, by line. What the rules mean belongs to
// package recommend. It is a package of its own because the functions read placements from the vector database:
// the parser of YAML would make them larger.
package placement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Limits of a file.
const (
	MaxBytes      = 1 << 20
	maxPlacements = 200
	format        = 1 // a later one is refused
)

// file is what is read, with all that is wrong with it.
type file struct {
	problems []error
	keys     map[*yaml.Node]*yaml.Node // of values in mappings
}

func (f *file) fail(at *yaml.Node, text string, args ...any) {
	f.problems = append(f.problems, fmt.Errorf("line %d: %s", at.Line, fmt.Sprintf(text, args...)))
}

// Parse reads a file. It reports every problem at once, each by its line.
func Parse(data []byte) (map[string]recommend.Placement, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the file has more than %d bytes", MaxBytes)
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: the file is empty, want format and placements")
	} else if err != nil {
		return nil, sentence(err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: the file must be one document", max(second.Line, 1))
	}
	f := &file{keys: map[*yaml.Node]*yaml.Node{}}
	found := map[string]recommend.Placement{}
	root := doc.Content[0]
	members := f.members(root, "the file", []string{"format", "placements"})
	if n := members["format"]; n == nil {
		f.fail(root, "format is missing, want format: %d", format)
	} else if number, err := strconv.Atoi(n.Value); err != nil || number < 1 {
		f.fail(n, "format must be %d", format)
	} else if number > format {
		return nil, fmt.Errorf("line %d: the file has the format %d, and this program reads up to %d: update it", n.Line,
			number, format)
	}
	if n := members["placements"]; n == nil {
		f.fail(root, "placements are missing")
	} else {
		named := f.members(n, "placements", nil)
		if len(named) > maxPlacements {
			f.fail(n, "there are %d placements, the limit is %d", len(named), maxPlacements)
		}
		byLine := func(a, b string) int { return named[a].Line - named[b].Line }
		for _, name := range slices.SortedFunc(maps.Keys(named), byLine) {
			if problem := activity.PlacementProblem(name); problem != "" {
				f.fail(f.keys[named[name]], "the name of a placement %s", problem)
				continue
			}
			found[name] = f.placement(named[name], name)
		}
	}
	if len(f.problems) > 0 {
		return nil, errors.Join(f.problems...)
	}
	return found, nil
}

// sentence is an error of the YAML parser, without its name.
func sentence(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// members are the values of a mapping, by their keys. allowed are the keys that it may have; nil: any. An empty value
// is an empty mapping.
func (f *file) members(n *yaml.Node, what string, allowed []string) map[string]*yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	found := map[string]*yaml.Node{}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return found
	}
	if n.Kind != yaml.MappingNode {
		f.fail(n, "%s must have members, as name: value", what)
		return found
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			f.fail(key, "a name in %s is no text", what)
		case found[key.Value] != nil:
			f.fail(key, "%s has %.50q twice", what, key.Value)
		case allowed != nil && !slices.Contains(allowed, key.Value):
			f.fail(key, "%s has no member %.50q, only %s", what, key.Value, strings.Join(allowed, ", "))
		default:
			found[key.Value], f.keys[value] = value, key
		}
	}
	return found
}

var placementMembers = []string{"list", "limit", "filter", "boost", "diversity", "min_share", "exclude", "fields"}

// placement reads one rule set, member by member: so a problem has the line of its member.
func (f *file) placement(n *yaml.Node, name string) (p recommend.Placement) {
	before := len(f.problems)
	members := f.members(n, "placement "+name, placementMembers)
	for _, member := range placementMembers {
		value := members[member]
		if value == nil {
			continue
		}
		var plain any
		if err := value.Decode(&plain); err != nil {
			f.problems = append(f.problems, sentence(err))
			continue
		}
		data, err := json.Marshal(map[string]any{member: plain})
		if err == nil {
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.DisallowUnknownFields()
			err = dec.Decode(&p)
		}
		if err != nil {
			f.fail(value, "placement %s: %s %s", name, member, unfit(err))
		}
	}
	if len(f.problems) > before {
		return p
	}
	if problem := p.Problem(); problem != "" {
		f.fail(find(members, f.keys[n], problem), "placement %s: %s", name, problem)
	}
	return p
}

// unfit says why a value is none of a member.
func unfit(err error) string {
	var wrong *json.UnmarshalTypeError
	var fault *activity.Fault
	switch {
	case errors.As(err, &fault):
		return fault.Message
	case errors.As(err, &wrong):
		return "has " + wrong.Value + " where another kind of value belongs"
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return "has the unknown member " + strings.TrimPrefix(err.Error(), "json: unknown field ")
	}
	return "does not fit"
}

// find is the node that a problem is about: it begins with a place such as boost[1].where.
func find(members map[string]*yaml.Node, whole *yaml.Node, problem string) *yaml.Node {
	place, _, _ := strings.Cut(problem, " ")
	member, rest, listed := strings.Cut(strings.TrimSuffix(place, ":"), "[")
	member, _, _ = strings.Cut(member, ".")
	n := members[member]
	if n == nil {
		return whole
	}
	number, _, _ := strings.Cut(rest, "]")
	if i, err := strconv.Atoi(number); listed && err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
		return n.Content[i]
	}
	return n
}
