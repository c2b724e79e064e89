package console

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"kindred/internal/job/etl"
	"kindred/internal/platform/program"
)

// ReportCommand is `console report`.
type ReportCommand struct {
	Sources

	Version string `arg:"" optional:"" help:"Model version of the report. Default: the live one, or if none is live, the newest."`
	Out     string `default:"kindred-report.html" placeholder:"FILE" help:"File to write. A file of this name is replaced."`
}

// Run writes the report.
func (c *ReportCommand) Run(ctx context.Context, out *program.Output) error {
	from, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer from.close()
	s, err := newServer(from, true, "", out.Log)
	if err != nil {
		return err
	}
	from.feed.Read(ctx)
	report, version, err := s.report(ctx, c.Version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, report, 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return out.Result(fmt.Sprintf("The report is in %s (%s). It needs nothing else, and names no customer.", c.Out,
		megabytes(int64(len(report)))), struct {
		File    string `json:"file"`
		Version string `json:"version"`
		Bytes   int    `json:"bytes"`
	}{c.Out, version, len(report)})
}

// reportPage is what the report's frame shows.
type reportPage struct {
	page

	Style    template.CSS
	Chapters []template.HTML
}

// report makes the report of a version; empty: of the one that is live, or the newest. It returns its name.
func (s *server) report(ctx context.Context, version string) ([]byte, string, error) {
	if version == "" {
		list, err := s.modelList(ctx)
		if err != nil {
			return nil, "", err
		}
		if version = list.Live; version == "" {
			version = firstOf(list)
		}
	}
	p := reportPage{page: page{Title: "Report", Now: s.now(), ReadOnly: true}}
	style, err := files.ReadFile("asset/static/console.css")
	if err != nil {
		return nil, "", fmt.Errorf("read the style sheet: %w", err)
	}
	p.Style = template.CSS(style) //nolint:gosec // a file of this program
	p.Chapters, err = s.chapters(ctx, p.page, version)
	if err != nil {
		return nil, "", err
	}
	var body bytes.Buffer
	if err := s.templates["report.html"].ExecuteTemplate(&body, "report", p); err != nil {
		return nil, "", fmt.Errorf("make the report: %w", err)
	}
	return body.Bytes(), version, nil
}

// firstOf is the newest version of a list; empty: it has none.
func firstOf(list modelsPage) string {
	for _, v := range list.Versions {
		if v.Newest {
			return v.ID
		}
	}
	if len(list.Unloaded) > 0 {
		return list.Unloaded[0]
	}
	return ""
}

// chapters are the pages of a report: those that can be made.
func (s *server) chapters(ctx context.Context, frame page, version string) (chapters []template.HTML, err error) {
	add := func(name string, body any) error {
		frame.Body = body
		var page bytes.Buffer
		if err := s.templates[name].ExecuteTemplate(&page, "content", frame); err != nil {
			return fmt.Errorf("make the chapter %s: %w", name, err)
		}
		chapter, err := detached(page.Bytes(), fmt.Sprintf("c%d-", len(chapters)))
		chapters = append(chapters, chapter)
		return err
	}
	if err := add("overview.html", s.overview(ctx)); err != nil {
		return nil, err
	}
	if version != "" {
		v, err := s.version(ctx, version)
		if err != nil {
			return nil, err
		}
		if err := add("version.html", v); err != nil {
			return nil, err
		}
	}
	if s.from.lake == nil {
		return chapters, nil
	}
	o, err := s.outcomePage(ctx)
	if err == nil {
		err = add("outcome.html", o)
	}
	if err != nil {
		return nil, err
	}
	if _, err = s.dataPage(ctx); err != nil { // it begins to read the set
		return nil, err
	}
	s.from.profiles.wait()
	d, err := s.dataPage(ctx)
	if err != nil {
		return nil, err
	}
	for _, rules := range [][]etl.Measured{d.Rules, d.Broken} {
		for i := range rules {
			rules[i].Examples = nil // they name customers
		}
	}
	if err := add("data.html", d); err != nil {
		return nil, err
	}
	return chapters, nil
}

// detached is a page without what leads to the console: its links, forms and scripts. Its ids begin with a
// prefix, so that several pages can be one.
func detached(page []byte, prefix string) (template.HTML, error) {
	root := &html.Node{Type: html.ElementNode, Data: atom.Main.String(), DataAtom: atom.Main}
	nodes, err := html.ParseFragment(bytes.NewReader(page), root)
	if err != nil {
		return "", fmt.Errorf("read a page: %w", err)
	}
	var b bytes.Buffer
	for _, n := range nodes {
		detach(n, prefix)
		if err := html.Render(&b, n); err != nil {
			return "", fmt.Errorf("write a page: %w", err)
		}
	}
	return template.HTML(b.String()), nil //nolint:gosec // a page of this program's templates
}

func detach(n *html.Node, prefix string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool {
		return a.Key == "href" && strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Key, "data-")
	})
	for i, a := range n.Attr {
		if a.Key == "id" || a.Key == "aria-labelledby" || a.Key == "for" {
			n.Attr[i].Val = prefix + a.Val
		}
	}
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		if child.Type == html.ElementNode && (child.Data == "form" || child.Data == "script") {
			n.RemoveChild(child)
		} else {
			detach(child, prefix)
		}
		child = next
	}
}
