package promotion

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is what a plan does to one resource.
type Change struct {
	Address    string
	Actions    string   // "create", "update", "delete/create", …
	Attributes []string // the attributes that differ, sorted; none for create and delete
}

// String returns the change as one line.
func (c Change) String() string {
	return fmt.Sprintf("%s %s %s", c.Actions, c.Address, strings.Join(c.Attributes, " "))
}

// Changes reads `terraform show -json PLAN` and returns the changes, without reads of data sources.
func Changes(plan []byte) ([]Change, error) {
	var p struct {
		Resources []struct {
			Address string `json:"address"`
			Change  struct {
				Actions []string       `json:"actions"`
				Before  map[string]any `json:"before"`
				After   map[string]any `json:"after"`
				Unknown map[string]any `json:"after_unknown"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal(plan, &p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	var found []Change
	for _, r := range p.Resources {
		actions := strings.Join(r.Change.Actions, "/")
		if actions == "no-op" || actions == "read" {
			continue
		}
		c := Change{Address: r.Address, Actions: actions}
		if r.Change.Before != nil && r.Change.After != nil {
			for name, before := range r.Change.Before {
				if r.Change.Unknown[name] == true || !reflect.DeepEqual(before, r.Change.After[name]) {
					c.Attributes = append(c.Attributes, name)
				}
			}
			slices.Sort(c.Attributes)
		}
		found = append(found, c)
	}
	return found, nil
}

// Planned reads `terraform show -json PLAN` and returns the resources as they will be.
func Planned(plan []byte) (map[string]Resource, error) {
	var p struct {
		Planned json.RawMessage `json:"planned_values"`
	}
	if err := json.Unmarshal(plan, &p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	state, err := json.Marshal(map[string]json.RawMessage{"values": p.Planned})
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return Resources(state)
}

// Resource is one resource of a state.
type Resource struct {
	Address string         `json:"address"`
	Type    string         `json:"type"`
	Mode    string         `json:"mode"` // managed or data
	Values  map[string]any `json:"values"`
}

type module struct {
	Resources []Resource `json:"resources"`
	Children  []module   `json:"child_modules"`
}

// Resources reads `terraform show -json` of a state and returns all resources of all modules by
// address.
func Resources(state []byte) (map[string]Resource, error) {
	var s struct {
		Values struct {
			Root module `json:"root_module"`
		} `json:"values"`
	}
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	all := map[string]Resource{}
	var walk func(module)
	walk = func(m module) {
		for _, r := range m.Resources {
			all[r.Address] = r
		}
		for _, c := range m.Children {
			walk(c)
		}
	}
	walk(s.Values.Root)
	return all, nil
}
