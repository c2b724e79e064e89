package activity

import (
	"fmt"
	"strconv"
	"strings"
)

// AddRules reads what a question asks of the products themselves, in the form of query parameters and flags, by name:
// filter, boost, min_share and diversity. problem says what is wrong with the first one that cannot be read.
func (c *Control) AddRules(given map[string][]string) (problem string) {
	one := func(name string) string {
		if len(given[name]) == 0 {
			return ""
		}
		return given[name][0]
	}
	c.Filter = one("filter")
	for i, pair := range given["boost"] {
		factor, where, ok := numbered(pair)
		if !ok {
			return fmt.Sprintf("boost[%d] must be a factor, a colon and an expression, as 2:product.stock > 10", i)
		}
		c.Boost = append(c.Boost, Boost{Where: where, Factor: factor})
	}
	for i, pair := range given["min_share"] {
		share, where, ok := numbered(pair)
		if !ok {
			return fmt.Sprintf("min_share[%d] must be a share, a colon and an expression, as 0.3:product.stock > 10", i)
		}
		c.MinShare = append(c.MinShare, MinShare{Where: where, Share: share})
	}
	if len(given["diversity"]) > 0 {
		c.Diversity, problem = diversityOf(one("diversity"))
	}
	return problem
}

// numbered parts a number, a colon and an expression.
func numbered(pair string) (number float64, where string, ok bool) {
	before, where, found := strings.Cut(pair, ":")
	number, err := strconv.ParseFloat(before, 64)
	return number, where, found && err == nil
}

// diversityOf reads category:2, brand:1 or mmr:0.7.
func diversityOf(given string) (d *Diversity, problem string) {
	by, number, _ := strings.Cut(given, ":")
	if by == "mmr" {
		if weight, err := strconv.ParseFloat(number, 64); err == nil {
			return &Diversity{MMR: &weight}, ""
		}
	} else if n, err := strconv.Atoi(number); err == nil && by != "" {
		return &Diversity{By: by, AtMost: n}, ""
	}
	return nil, "diversity must be category:2, brand:2 or mmr:0.7, with a number of yours"
}
