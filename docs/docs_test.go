// Package docs holds the tests of kindred's documents: links lead somewhere, files that are named
// exist, prose is at most 100 columns wide, and docs/formats.md shows the golden files as they are.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the examples in docs/formats.md")

const (
	root     = ".."
	maxWidth = 100
	// generated is written by integration/conformance/parity; its tables name nothing but tests.
	generated = "docs/parity.md"
	changes   = "CHANGELOG.md"
)

// pages are the Markdown files of the repository by their path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch base := entry.Name(); {
		case entry.IsDir() && (base == ".git" || base == ".kindred" || base == ".terraform" || base == "node_modules"):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(base, ".md"):
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			all[filepath.ToSlash(rel)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 || all["README.md"] == "" {
		t.Fatalf("found %d pages only", len(all))
	}
	return all
}

// prose gives the lines of a page that are neither in a code block nor part of a table.
func prose(text string) map[int]string {
	lines, inBlock := map[int]string{}, false
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			inBlock = !inBlock
			continue
		}
		if !inBlock && !strings.HasPrefix(trimmed, "|") {
			lines[i+1] = line
		}
	}
	return lines
}

func TestProseIsNarrow(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		if name == changes { // merged from both sides line by line: wrapping an entry again would repeat it
			continue
		}
		for i, line := range prose(text) {
			// A line that is one link or address cannot be broken.
			if n := utf8.RuneCountInString(line); n > maxWidth && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s:%d has %d columns, at most %d are allowed", name, i, n, maxWidth)
			}
		}
	}
}

// stumbling are phrases that readers of English had to read twice, each with what to write instead.
var stumbling = map[*regexp.Regexp]string{
	regexp.MustCompile(`(?i)\bsa(?:y|ys|id) (?:something |nothing )?of\b`): "describe, about",
	regexp.MustCompile(`(?i)\bevents? says?\b`):                            "contain, set",
	regexp.MustCompile(`(?i)\bthe latter\b`):                               "the name",
	regexp.MustCompile(`(?i)\bwhat answers\b`):                             "recommend and serve",
	regexp.MustCompile(`(?i)\bfor the case that\b`):                        "in case",
	regexp.MustCompile(`(?i)\bstate outside the versions\b`):               "purchases and the state of products",
}

func TestPagesCanBeReadOnce(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		text = strings.Join(strings.Fields(text), " ")
		for phrase, instead := range stumbling {
			if found := phrase.FindString(text); found != "" {
				t.Errorf("%s has %q; write for example: %s", name, found, instead)
			}
		}
	}
}

// TestNoChangeIsToldTwice finds what a merge of both sides leaves when one of them was rewritten.
func TestNoChangeIsToldTwice(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, entry := range strings.Split(pages(t)[changes], "\n- ")[1:] {
		entry, _, _ = strings.Cut(entry, "\n#")
		entry = strings.Join(strings.Fields(entry), " ")
		if told[entry] {
			t.Errorf("%s tells twice: %.70s…", changes, entry)
		}
		told[entry] = true
	}
}

// TestEachDecisionHasItsNumber keeps two pages from having one number, which a merge of both sides may
// bring, and the list of decisions from lacking one.
func TestEachDecisionHasItsNumber(t *testing.T) {
	t.Parallel()
	const folder = "docs/decisions/"
	all, first := pages(t), map[string]string{}
	list := all[folder+"README.md"]
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file, decision := strings.CutPrefix(name, folder)
		if !decision || file == "README.md" {
			continue
		}
		number, _, _ := strings.Cut(file, "-")
		if first[number] != "" {
			t.Errorf("%s and %s have the number %s", first[number], file, number)
		}
		first[number] = file
		heading, _, _ := strings.Cut(all[name], "\n")
		title, numbered := strings.CutPrefix(heading, "# "+number+". ")
		if !numbered {
			t.Errorf("the title of %s does not begin with its number", file)
		}
		row := "| [" + number + "](" + file + ") | " + title + " |\n"
		if strings.Count(list, row) != 1 || strings.Count(list, "]("+file+")") != 1 {
			t.Errorf("%sREADME.md does not list %s once, by its title", folder, file)
		}
	}
	if len(first) < 10 {
		t.Errorf("found %d decisions only", len(first))
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		for _, found := range link.FindAllStringSubmatch(withoutBlocks(text), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := name
			if target != "" {
				to = path.Join(path.Dir(name), target)
			}
			if strings.HasPrefix(to, "..") {
				t.Errorf("%s: the link %s leaves the repository", name, found[1])
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, found[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s: %s has no heading #%s; it has %v", name, to, anchor, anchors(all[to]))
			}
		}
	}
}

// withoutBlocks removes code blocks, whose brackets are no links.
func withoutBlocks(text string) string {
	return regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```").ReplaceAllString(text, "")
}

// anchors are the names that GitHub gives the headings of a page.
func anchors(text string) (all []string) {
	for line := range strings.Lines(withoutBlocks(text)) {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		name := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, strings.TrimSpace(heading))
		all = append(all, name)
	}
	return all
}

var (
	span = regexp.MustCompile("`([^`\n]+)`")
	// named is a path from the root: its first folder is one of the repository's.
	named = regexp.MustCompile(`^(?:jobs|lambdas|internal|localstack|terraform|integration|docs|benchmarks|testdata|\.ci|\.github)(?:/[\w.=-]+)*/?$`)
	// file is a bare name of a source file.
	file = regexp.MustCompile(`^[\w-]+\.(?:go|sql|py|tf|sh)$`)
	// outside is a place on some machine, which a reader does not have.
	outside = regexp.MustCompile(`(?:^|[\s"'(=])(?:\.\./shared|/work/|/root/|/home/)`)
)

func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".git" || entry.Name() == ".kindred") {
			return fs.SkipDir
		}
		if err == nil {
			names[entry.Name()] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages(t) {
		if page == generated || page == changes { // a change log names what was
			continue
		}
		if found := outside.FindString(text); found != "" {
			t.Errorf("%s names a path outside the repository:%s", page, found)
		}
		for _, found := range span.FindAllStringSubmatch(withoutBlocks(text), -1) {
			name := strings.TrimSuffix(strings.Fields(found[1])[0], ":")
			if strings.Contains(name, "NAME") || strings.Contains(name, "NNNN") { // a place for the reader's own
				continue
			}
			missing := file.MatchString(name) && !names[name]
			if named.MatchString(name) {
				_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
				_, beside := os.Stat(filepath.Join(root, path.Dir(page), filepath.FromSlash(name)))
				missing = err != nil && beside != nil
			}
			if missing {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
	}
}

// example is a golden file as docs/formats.md shows it: a comment that names the file, then a block.
var example = regexp.MustCompile("(?ms)^<!-- golden: (\\S+) -->\n```(\\w*)\n(.*?)^```\n")

func TestFormatsShowTheGoldenFiles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("formats.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	written := example.ReplaceAllFunc(page, func(block []byte) []byte {
		m := example.FindSubmatch(block)
		shown[string(m[1])] = true
		want, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(string(m[1]))))
		if err != nil {
			t.Errorf("docs/formats.md: %v", err)
			return block
		}
		if !bytes.Equal(m[3], want) && !*update {
			t.Errorf("docs/formats.md does not show %s as it is; run `make golden`", m[1])
		}
		return fmt.Appendf(nil, "<!-- golden: %s -->\n```%s\n%s```\n", m[1], m[2], want)
	})
	if n := bytes.Count(page, []byte("<!-- golden:")); n != len(shown) {
		t.Errorf("%d golden files are named and %d are shown: a comment needs a code block in the next line", n, len(shown))
	}
	for _, name := range goldenFiles(t) {
		if !shown[name] {
			t.Errorf("docs/formats.md does not show %s", name)
		}
	}
	if *update {
		if err := os.WriteFile("formats.md", written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var typescript = regexp.MustCompile("(?ms)^```ts\n(.*?)^```$")

// TestTypeScriptIsTested wants each piece of TypeScript in the pages to be a file that integration compiles and runs.
func TestTypeScriptIsTested(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "integration", "client", "*.ts"))
	if err != nil {
		t.Fatal(err)
	}
	var tested []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tested = append(tested, string(text))
	}
	shown := 0
	for name, text := range pages(t) {
		for _, block := range typescript.FindAllStringSubmatch(text, -1) {
			shown++
			if !slices.Contains(tested, block[1]) {
				t.Errorf("%s shows TypeScript that is no file in integration/client:\n%s", name, block[1])
			}
		}
	}
	if shown == 0 {
		t.Error("no page shows TypeScript")
	}
}

var imports = regexp.MustCompile(`(?m)^\s*"kindred/internal/platform/golden"$`)

// goldenFiles are the files directly in testdata of every package whose tests use package golden.
func goldenFiles(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".git" || entry.Name() == ".kindred") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil || !imports.Match(text) {
			return err
		}
		entries, err := os.ReadDir(filepath.Join(filepath.Dir(name), "testdata"))
		if err != nil {
			return err
		}
		for _, e := range entries {
			rel, err := filepath.Rel(root, filepath.Join(filepath.Dir(name), "testdata", e.Name()))
			if err != nil {
				return err
			}
			if !e.IsDir() {
				all = append(all, filepath.ToSlash(rel))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d golden files only: %v", len(all), all)
	}
	return all
}

// TestVariablesOfAWSAreExplained: docs/deploy.md names each variable of terraform/aws, but for those that a promotion
// sets.
func TestVariablesOfAWSAreExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform", "aws", "variables.tf"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^variable "(\w+)"`).FindAllStringSubmatch(string(text), -1)
	if len(names) < 40 {
		t.Fatalf("found %d variables only", len(names))
	}
	page := pages(t)["docs/deploy.md"]
	for _, name := range names {
		set := slices.Contains([]string{"name", "environment", "package_dir", "image_tag"}, name[1])
		explained := regexp.MustCompile("[`\"]" + name[1] + "\\b").MatchString(page)
		if !set && !explained {
			t.Errorf("docs/deploy.md does not say what the variable %s of terraform/aws means", name[1])
		}
	}
}
