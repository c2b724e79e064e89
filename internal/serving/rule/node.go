package rule

import (
	"cmp"
	"slices"
	"strings"
)

// node is a part of an expression: a *leaf, a *group or a constant. Only leaves are negated.
type node interface {
	match(p *Product) bool
	sql(args *[]any) string
	// keep leaves in m only products of c for which it holds.
	keep(c *Columns, m Mask)
	// cost is how long keep takes, compared with other nodes.
	cost() int
	String() string
}

// constant is true or false.
type constant bool

func (b constant) match(*Product) bool { return bool(b) }
func (b constant) cost() int           { return 0 }

func (b constant) String() string {
	if b {
		return "true"
	}
	return "false"
}

// group is the conjunction of its parts, or their disjunction. It has at least two, the cheapest first, and
// none of them is a constant or a group of the same kind.
type group struct {
	any   bool // one part is enough
	parts []node
}

// join makes a node of parts that are joined by && or, for any, by ||.
func join(any bool, parts ...node) node {
	var flat []node
	for _, p := range parts {
		if b, ok := p.(constant); ok {
			if bool(b) == any {
				return b
			}
			continue
		}
		if g, ok := p.(*group); ok && g.any == any {
			flat = append(flat, g.parts...)
		} else {
			flat = append(flat, p)
		}
	}
	slices.SortFunc(flat, func(a, b node) int {
		return cmp.Or(cmp.Compare(a.cost(), b.cost()), strings.Compare(a.String(), b.String()))
	})
	flat = slices.CompactFunc(flat, func(a, b node) bool { return a.String() == b.String() })
	switch len(flat) {
	case 0:
		return constant(!any)
	case 1:
		return flat[0]
	}
	return &group{any, flat}
}

// opposite is the node that holds where n does not.
func opposite(n node) node {
	switch n := n.(type) {
	case constant:
		return !n
	case *group:
		parts := make([]node, len(n.parts))
		for i, p := range n.parts {
			parts[i] = opposite(p)
		}
		return join(!n.any, parts...)
	}
	return n.(*leaf).opposite() // there is nothing else
}

func (g *group) match(p *Product) bool {
	for _, part := range g.parts {
		if part.match(p) == g.any {
			return g.any
		}
	}
	return !g.any
}

func (g *group) cost() (sum int) {
	for _, p := range g.parts {
		sum += p.cost()
	}
	return sum
}

func (g *group) String() string {
	parts, sign := make([]string, len(g.parts)), " && "
	if g.any {
		sign = " || "
	}
	for i, p := range g.parts {
		parts[i] = p.String()
		if inner, ok := p.(*group); ok && inner.any {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, sign)
}
