package envconfig

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// FormatFile is a file of variables that a POSIX shell, compose and ParseFile read alike: one line
// NAME='value' each, sorted. An error names a variable that no such line can hold.
func FormatFile(variables map[string]string) ([]byte, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		if !isName(name) || strings.ContainsAny(value, "'\n\r\x00") {
			return nil, fmt.Errorf("variable %q cannot be written to an environment file: its value holds a quote or a "+
				"line break, or its name is none", name)
		}
		fmt.Fprintf(&b, "%s='%s'\n", name, value)
	}
	return []byte(b.String()), nil
}

// ParseFile reads a file of variables. Besides what FormatFile writes it takes blank lines, comments,
// "export", double quotes and no quotes. An error names the line.
func ParseFile(text []byte) (map[string]string, error) {
	variables := map[string]string{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		name, value, ok := strings.Cut(line, "=")
		if !ok || !isName(name) {
			return nil, fmt.Errorf("line %d is not NAME='value'", number)
		}
		for _, quote := range []string{"'", `"`} {
			if inner, opened := strings.CutPrefix(value, quote); opened {
				if value, ok = strings.CutSuffix(inner, quote); !ok {
					return nil, fmt.Errorf("line %d: the quote of %s does not end", number, name)
				}
				break
			}
		}
		variables[name] = value
	}
	return variables, nil
}

// ReadFile is ParseFile of a file; its errors name the file.
func ReadFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read environment file: %w", err)
	}
	variables, err := ParseFile(text)
	if err != nil {
		return nil, fmt.Errorf("read environment file %s: %w", path, err)
	}
	return variables, nil
}

// Under adds to an environment, lines of NAME=value as os.Environ has them, the variables that it
// does not set: what the caller sets wins, also when it is empty. overruled are the names of
// variables that the caller sets to another value, sorted.
func Under(environ []string, variables map[string]string) (all, overruled []string) {
	set := map[string]string{}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		set[name] = value
	}
	all = slices.Clone(environ)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value, given := set[name]
		switch {
		case !given:
			all = append(all, name+"="+variables[name])
		case value != variables[name]:
			overruled = append(overruled, name)
		}
	}
	return all, overruled
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
