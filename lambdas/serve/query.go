package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kindred/internal/platform/text"
	"kindred/internal/stream/activity"
)

// parameters are the query parameters that a route takes, by its pattern. A route without an entry takes none.
// openapi.json describes them; a test compares the two.
func parameters() map[string][]string {
	return map[string][]string{
		"GET /customers/{id}/recommendations": {"limit", "cursor", "exclude", "filter", "boost", "diversity", "min_share",
			"event_id", "session_id", "fields", "explain", "placement"},
		"GET /lists/{list}":                    listParameters,
		"GET /products/{code}/bought-together": listParameters,
		"GET /customers/{id}/recently-viewed":  listParameters,
		"GET /sessions/{id}/recently-viewed":   listParameters,
		"GET /products/{code}/similar": {"limit", "exclude", "filter", "boost", "event_id", "session_id", "fields",
			"placement"},
	}
}

var listParameters = []string{"limit", "cursor", "exclude", "filter", "boost", "diversity", "min_share", "event_id",
	"session_id", "fields", "placement"}

// repeated are the parameters that may be given more than once.
var repeated = []string{"exclude", "boost", "min_share", "fields"}

// parametersOf reads the parameters of a request. problem says what is wrong with them: a parameter that the route
// does not take, or one that is given too often.
func parametersOf(r *http.Request, takes []string) (given url.Values, problem string) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, "the query of the address is not percent-encoded"
	}
	for name, values := range given {
		switch {
		case !slices.Contains(takes, name) && len(takes) == 0:
			return nil, "this path takes no query parameters, and not " + named(name)
		case !slices.Contains(takes, name):
			return nil, fmt.Sprintf("this path does not take the query parameter %s, only %s", named(name), joined(takes))
		case len(values) > 1 && !slices.Contains(repeated, name):
			return nil, "the query parameter " + name + " must be given once"
		}
	}
	return given, ""
}

// named is the name of a parameter as a problem may repeat it.
func named(name string) string {
	const most = 40
	plain := func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsPrint(c) }
	if len(name) > most || slices.ContainsFunc([]rune(name), plain) {
		return "one of another name"
	}
	return strconv.Quote(name)
}

func joined(names []string) (all string) {
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			all += " and "
		case i > 0:
			all += ", "
		}
		all += name
	}
	return all
}

// controlOf reads the control that parameters ask for; nil: none. most bounds its limit.
func controlOf(given url.Values, most int) (c *activity.Control, problem string) {
	c = &activity.Control{Cursor: given.Get("cursor"), Placement: given.Get("placement")}
	if given.Has("placement") && c.Placement == "" {
		return nil, "placement is empty"
	}
	if given.Has("limit") {
		n, err := strconv.Atoi(given.Get("limit"))
		if err != nil || n < 1 || n > most {
			return nil, "limit must be one number from 1 to " + strconv.Itoa(most)
		}
		c.Limit = &n
	}
	for i, id := range given["exclude"] {
		if err := text.CheckID(id); err != nil {
			return nil, fmt.Sprintf("exclude[%d] %v", i, err)
		}
		c.Exclude = append(c.Exclude, activity.ID(id))
	}
	if given.Has("fields") {
		for name := range strings.SplitSeq(strings.Join(given["fields"], ","), ",") {
			c.Fields = append(c.Fields, activity.Field(name))
		}
	}
	switch given.Get("explain") {
	case "true":
		c.Explain = true
	case "false":
	default:
		if given.Has("explain") {
			return nil, "explain must be true or false"
		}
	}
	if problem := c.AddRules(given); problem != "" {
		return nil, problem
	}
	own := func(name string) bool { return !slices.Contains(pageParameters, name) }
	if problem := c.Problem(); problem != "" || slices.ContainsFunc(slices.Collect(maps.Keys(given)), own) {
		return c, problem
	}
	return nil, ""
}

// asked is controlOf of a request. Without a control that can be read it answers the request, and ok is false.
func (s *server) asked(w http.ResponseWriter, r *http.Request, most int) (c *activity.Control, ok bool) {
	given, problem := parametersOf(r, parameters()[r.Pattern])
	if problem == "" {
		c, problem = controlOf(given, most)
	}
	if problem != "" {
		s.problem(w, r, http.StatusBadRequest, problem)
	}
	return c, problem == ""
}
