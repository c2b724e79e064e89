package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Plan is what will exist after a plan was applied.
type Plan struct {
	Region    string // of the environment
	Calls     []Call // what the programs were seen to call; none leaves out the rule about it
	resources map[string]Resource
	ordered   []string               // addresses, sorted
	kinds     map[string][]Resource  // by type, sorted by address
	policies  map[string][]Statement // by the role's name: its own, and those of the plan that are attached
}

// Resource is one managed resource of a plan.
type Resource struct {
	Address string
	Type    string
	Values  map[string]any // as Terraform's JSON has them; what is not known yet is absent
}

type module struct {
	Resources []struct {
		Address string         `json:"address"`
		Type    string         `json:"type"`
		Mode    string         `json:"mode"`
		Values  map[string]any `json:"values"`
	} `json:"resources"`
	Children []module `json:"child_modules"`
}

// Read reads `terraform show -json PLAN`. region is the one that the plan is for.
func Read(plan []byte, region string) (*Plan, error) {
	var shown struct {
		Values struct {
			Root module `json:"root_module"`
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(plan, &shown); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	resources := map[string]map[string]any{}
	var walk func(module)
	walk = func(m module) {
		for _, x := range m.Resources {
			if x.Mode == "managed" {
				resources[x.Address] = x.Values
			}
		}
		for _, child := range m.Children {
			walk(child)
		}
	}
	walk(shown.Values.Root)
	return New(resources, region), nil
}

// New returns a plan of resources by address.
func New(resources map[string]map[string]any, region string) *Plan {
	p := &Plan{Region: region, resources: map[string]Resource{}, kinds: map[string][]Resource{},
		policies: map[string][]Statement{}}
	for address, values := range resources {
		kind := ""
		for part := range strings.SplitSeq(address, ".") {
			if strings.HasPrefix(part, "aws_") {
				kind = part
				break
			}
		}
		p.resources[address] = Resource{address, kind, values}
		p.ordered = append(p.ordered, address)
	}
	slices.Sort(p.ordered)
	for _, address := range p.ordered {
		x := p.resources[address]
		p.kinds[x.Type] = append(p.kinds[x.Type], x)
	}
	for _, x := range p.Of("aws_iam_role_policy") {
		role := x.Text("role")
		p.policies[role] = append(p.policies[role], x.statements("policy")...)
	}
	for _, x := range p.Of(attachment) {
		if policy, found := p.find("aws_iam_policy", "arn", x.Text("policy_arn")); found {
			p.policies[x.Text("role")] = append(p.policies[x.Text("role")], policy.statements("policy")...)
		}
	}
	return p
}

// Of returns the resources of a type, sorted by address.
func (p *Plan) Of(kind string) []Resource { return p.kinds[kind] }

// find returns the resource of a type whose text at path is value.
func (p *Plan) find(kind, path, value string) (x Resource, found bool) {
	for _, x := range p.Of(kind) {
		if value != "" && x.Text(path) == value {
			return x, true
		}
	}
	return x, false
}

// at returns the value at a path such as "vpc_config.0.subnet_ids", or nil.
func (x Resource) at(path string) any {
	var value any = x.Values
	for part := range strings.SplitSeq(path, ".") {
		switch held := value.(type) {
		case map[string]any:
			value = held[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(held) {
				return nil
			}
			value = held[i]
		default:
			return nil
		}
	}
	return value
}

// Text returns the text at a path, or "".
func (x Resource) Text(path string) string { text, _ := x.at(path).(string); return text }

// True reports whether the value at a path is true.
func (x Resource) True(path string) bool { return x.at(path) == true }

// Number returns the number at a path, which may be written as a text, and whether there is one.
func (x Resource) Number(path string) (n float64, set bool) {
	switch value := x.at(path).(type) {
	case float64:
		return value, true
	case string:
		n, err := strconv.ParseFloat(value, 64)
		return n, err == nil
	}
	return 0, false
}

// Texts returns the list of texts at a path.
func (x Resource) Texts(path string) (texts []string) {
	list, _ := x.at(path).([]any)
	for _, item := range list {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// Blocks returns the blocks at a path as resources of the same address.
func (x Resource) Blocks(path string) (blocks []Resource) {
	list, _ := x.at(path).([]any)
	for _, item := range list {
		if values, ok := item.(map[string]any); ok {
			blocks = append(blocks, Resource{x.Address, x.Type, values})
		}
	}
	return blocks
}

// parsed returns the JSON document at a path, which may be a text or the document itself.
func (x Resource) parsed(path string) any {
	value := x.at(path)
	text, isText := value.(string)
	if !isText {
		return value
	}
	var document any
	if json.Unmarshal([]byte(text), &document) != nil {
		return nil
	}
	return document
}

// decode reads the JSON document at a path into target, and reports whether that was possible.
func (x Resource) decode(path string, target any) bool {
	document := x.parsed(path)
	if document == nil {
		return false
	}
	text, err := json.Marshal(document)
	return err == nil && json.Unmarshal(text, target) == nil
}
