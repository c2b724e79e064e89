package conformance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Table is docs/parity.md: cells by column and row.
type Table struct {
	Columns []string                     // titles, AWSColumn first
	Cells   map[string]map[string]string // by title, then by the row's ID
}

// AWSColumn is the title of AWS's own column.
const AWSColumn = "AWS"

const intro = `# Where emulators differ from AWS

The tables list the behaviour of AWS on which kindred depends. ` + "`make conformance`" + ` checks each row on
each emulator and writes this page; no cell is written by hand. The checks use the AWS SDK for Go
without retries, and are in ` + "`integration/conformance`" + `.

| cell | meaning |
|---|---|
| *as AWS documents* | the emulator follows the rule |
| *differs* | the emulator breaks the rule in the way that the cell says; # stands for any number |
| *not supported* | the emulator refused the call that the cell names, or the AWS SDK could not read its answer |
| *not run* | nobody has run the row there: AWS needs an account (see integration/conformance/README.md) |
| *not run: needs Docker* | the emulator needs a container engine, and the machine had none |

The last column names the kindred test that covers the rule if an emulator breaks it. It may be
empty if no emulator breaks the rule.
` + "`go test ./integration`" + ` checks the quick rows on LocalStack, and fails if this page no longer holds.

This table counts the rows by result:
`

// String is the page.
func (t Table) String() string {
	var b strings.Builder
	b.WriteString(intro)
	t.writeCounts(&b)
	service := ""
	for _, row := range Behaviours() {
		if section, _, _ := strings.Cut(row.ID, "/"); section != service {
			service = section
			fmt.Fprintf(&b, "\n## %s\n\n| row | AWS documents | %s | covered by |\n|---|---|%s---|\n",
				service, strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
		}
		fmt.Fprintf(&b, "| `%s` | %s ([source](%s)) |", row.ID, row.Rule, docs+row.Source)
		for _, title := range t.Columns {
			fmt.Fprintf(&b, " %s |", escape(t.cell(title, row.ID)))
		}
		covered := row.Covered
		if covered != "" && !strings.HasPrefix(covered, noTest) {
			covered = "`" + covered + "`"
		}
		fmt.Fprintf(&b, " %s |\n", covered)
	}
	return b.String()
}

const docs = "https://docs.aws.amazon.com/"

// writeCounts writes how many rows each column keeps.
func (t Table) writeCounts(b *strings.Builder) {
	b.WriteString("\n| | as AWS documents | differs | not supported | not run |\n|---|---|---|---|---|\n")
	for _, title := range t.Columns {
		count := map[string]int{}
		for _, row := range Behaviours() {
			kind, _, _ := strings.Cut(t.cell(title, row.ID), ":")
			count[kind]++
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d |\n", title, count[AsDocumented], count["differs"], count["not supported"],
			count[NotRun])
	}
}

func (t Table) cell(title, id string) string {
	if cell := t.Cells[title][id]; cell != "" {
		return cell
	}
	return NotRun
}

func escape(cell string) string { return strings.ReplaceAll(cell, "|", `\|`) }

var (
	bar    = regexp.MustCompile(`\\\|`)
	header = regexp.MustCompile(`^\| row \| AWS documents \| (.*) \| covered by \|$`)
	line   = regexp.MustCompile("^\\| `([a-z0-9]+/[a-z0-9-]+)` \\| ")
)

// Read takes the columns and cells from a page that String made.
func Read(page string) (Table, error) {
	t := Table{Cells: map[string]map[string]string{}}
	const hidden = "\x00"
	for text := range strings.Lines(bar.ReplaceAllString(page, hidden)) {
		text = strings.TrimSuffix(text, "\n")
		if found := header.FindStringSubmatch(text); found != nil && t.Columns == nil {
			t.Columns = strings.Split(found[1], " | ")
			for _, title := range t.Columns {
				t.Cells[title] = map[string]string{}
			}
			continue
		}
		found := line.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		parts := strings.Split(strings.Trim(text, "| "), " | ")
		if len(parts) < 2+len(t.Columns) {
			return Table{}, fmt.Errorf("row %s of the table has %d parts", found[1], len(parts))
		}
		for i, title := range t.Columns {
			t.Cells[title][found[1]] = strings.ReplaceAll(parts[2+i], hidden, "|")
		}
	}
	if t.Columns == nil {
		return Table{}, fmt.Errorf("the page holds no table")
	}
	return t, nil
}

// Set puts a column in place of the one whose title begins with the same word, or after the
// others. Of the same version, rows that are not in cells stay.
func (t *Table) Set(title string, cells map[string]string) {
	if t.Cells == nil {
		t.Cells = map[string]map[string]string{}
	}
	name, _, _ := strings.Cut(title, " ")
	at := slices.IndexFunc(t.Columns, func(c string) bool { return c == name || strings.HasPrefix(c, name+" ") })
	if at < 0 {
		t.Columns = append(t.Columns, title)
	} else {
		if t.Columns[at] == title {
			merged := maps.Clone(t.Cells[title])
			maps.Copy(merged, cells)
			cells = merged
		}
		delete(t.Cells, t.Columns[at])
		t.Columns[at] = title
	}
	t.Cells[title] = cells
}

// Differences compares the cells of one column with those of another run, for the rows that were run.
func (t Table) Differences(title string, cells map[string]string) (list []string) {
	for _, row := range Behaviours() {
		if now, ran := cells[row.ID]; ran && now != t.cell(title, row.ID) {
			list = append(list, fmt.Sprintf("%s: the table says %q, seen was %q", row.ID, t.cell(title, row.ID), now))
		}
	}
	return list
}
