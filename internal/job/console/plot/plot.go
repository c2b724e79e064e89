// Package plot draws small charts as SVG, without a script. It owns their geometry. Colours are classes of
// the page's style sheet, so that a chart follows light and dark. Whatever a chart shows is on the page as
// text too.
package plot

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Interval is a value with the interval in which it lies for certain, as a bar from 0 to Scale.
type Interval struct {
	Value, Low, High float64
	Scale            float64 // at the right end; 0 draws nothing
}

// share is v's place on the scale, in percent.
func (b Interval) share(v float64) float64 {
	if !(b.Scale > 0) {
		return 0
	}
	return math.Max(0, math.Min(100, 100*v/b.Scale))
}

// SVG is the bar. It is as wide as its place allows.
func (b Interval) SVG() template.HTML {
	var s strings.Builder
	s.WriteString(`<svg class="bar" width="100%" height="16" aria-hidden="true" focusable="false">`)
	fmt.Fprintf(&s, `<rect class="bar-ground" x="0" y="4" width="100%%" height="8" rx="4"/>`)
	fmt.Fprintf(&s, `<rect class="bar-value" x="0" y="4" width="%.2f%%" height="8" rx="4"/>`, b.share(b.Value))
	if b.High > b.Low {
		low, high := b.share(b.Low), b.share(b.High)
		fmt.Fprintf(&s, `<line class="bar-interval" x1="%.2f%%" x2="%.2f%%" y1="8" y2="8"/>`, low, high)
		for _, at := range []float64{low, high} {
			fmt.Fprintf(&s, `<line class="bar-interval" x1="%.2f%%" x2="%.2f%%" y1="3" y2="13"/>`, at, at)
		}
	}
	s.WriteString(`</svg>`)
	return template.HTML(s.String()) //nolint:gosec // numbers only
}

// Stack is a bar whose parts lie one behind the other, from 0 to Scale. What is not positive is not drawn. The parts
// have the classes part-0, part-1 and so on.
type Stack struct {
	Parts []float64
	Scale float64 // at the right end; 0 draws nothing
}

// SVG is the bar. It is as wide as its place allows.
func (b Stack) SVG() template.HTML {
	var s strings.Builder
	s.WriteString(`<svg class="bar" width="100%" height="16" aria-hidden="true" focusable="false">` +
		`<rect class="bar-ground" x="0" y="4" width="100%" height="8" rx="2"/>`)
	at := 0.0
	for i, v := range b.Parts {
		if !(v > 0 && b.Scale > 0) {
			continue
		}
		wide := math.Min(100*v/b.Scale, 100-at)
		fmt.Fprintf(&s, `<rect class="part-%d" x="%.2f%%" y="4" width="%.2f%%" height="8"/>`, i, at, wide)
		at += wide
	}
	s.WriteString(`</svg>`)
	return template.HTML(s.String()) //nolint:gosec // numbers only
}

// Difference is a difference with the interval in which it lies, around a line at zero.
type Difference struct {
	Value, Low, High float64
}

// SVG is the interval, with a point for the difference. It is as wide as its place allows.
func (d Difference) SVG() template.HTML {
	end := math.Max(math.Abs(d.Low), math.Abs(d.High))
	at := func(v float64) float64 {
		if !(end > 0) {
			return 50
		}
		return 50 + 45*v/end
	}
	var s strings.Builder
	s.WriteString(`<svg class="bar" width="100%" height="16" aria-hidden="true" focusable="false">`)
	s.WriteString(`<rect class="bar-ground" x="0" y="7" width="100%" height="2"/>`)
	s.WriteString(`<line class="bar-zero" x1="50%" x2="50%" y1="1" y2="15"/>`)
	fmt.Fprintf(&s, `<line class="bar-interval" x1="%.2f%%" x2="%.2f%%" y1="8" y2="8"/>`, at(d.Low), at(d.High))
	fmt.Fprintf(&s, `<circle class="bar-point" cx="%.2f%%" cy="8" r="4"/></svg>`, at(d.Value))
	return template.HTML(s.String()) //nolint:gosec // numbers only
}

// Point is a point of a scatter plot.
type Point struct {
	X, Y  float64
	Class string // of the style sheet
	Title string // what a pointer shows
	Link  string // where a click leads; empty: nowhere
}

// Scatter is a scatter plot. Its axes have no text: the page says beside it what they are.
type Scatter struct {
	// What it shows, for who does not see it. Empty: the page says it all beside the plot, which is for the eye and the
	// pointer only.
	Label  string
	Points []Point
	Height float64 // in units of which the width has 640; 0: that of a strip
}

// Size of a plot, in units of its own.
const (
	width, height = 640.0, 200.0
	margin        = 12.0
)

// Range is the smallest and the largest Y.
func (s Scatter) Range() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range s.Points {
		low, high = math.Min(low, p.Y), math.Max(high, p.Y)
	}
	if low > high {
		return 0, 0
	}
	return low, high
}

// Low and High are Range's, for templates.
func (s Scatter) Low() float64 { low, _ := s.Range(); return low }

// High is the largest Y.
func (s Scatter) High() float64 { _, high := s.Range(); return high }

// SVG is the plot. It is as wide as its place allows.
func (s Scatter) SVG() template.HTML {
	low, high := s.Range()
	left, right := math.Inf(1), math.Inf(-1)
	for _, p := range s.Points {
		left, right = math.Min(left, p.X), math.Max(right, p.X)
	}
	place := func(v, low, high, size float64) float64 {
		if !(high > low) {
			return size / 2
		}
		return margin + (v-low)/(high-low)*(size-2*margin)
	}
	height := cmp.Or(s.Height, height)
	var b strings.Builder
	if s.Label == "" {
		fmt.Fprintf(&b, `<svg class="scatter dense" viewBox="0 0 %g %g" aria-hidden="true">`, width, height)
	} else {
		fmt.Fprintf(&b, `<svg class="scatter" viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height,
			template.HTMLEscapeString(s.Label))
	}
	for i := range 5 {
		y := margin + float64(i)*(height-2*margin)/4
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%g" y1="%.1f" y2="%.1f"/>`, width, y, y)
	}
	for _, p := range s.Points {
		radius := 3.5
		if strings.Contains(p.Class, "best") {
			radius = 6
		}
		if p.Link != "" {
			fmt.Fprintf(&b, `<a href="%s" tabindex="-1">`, template.HTMLEscapeString(p.Link))
		}
		fmt.Fprintf(&b, `<circle class="%s" cx="%.1f" cy="%.1f" r="%g"><title>%s</title></circle>`,
			template.HTMLEscapeString(p.Class), place(p.X, left, right, width), height-place(p.Y, low, high, height), radius,
			template.HTMLEscapeString(p.Title))
		if p.Link != "" {
			b.WriteString(`</a>`)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and text that is escaped
}

// Bar is a column of a histogram.
type Bar struct {
	Name  string
	Value float64
}

// Histogram is columns beside each other.
type Histogram struct {
	Label string
	Bars  []Bar
}

// SVG is the histogram. Its columns have no text: the page has a table of them.
func (h Histogram) SVG() template.HTML {
	most := 0.0
	for _, bar := range h.Bars {
		most = math.Max(most, bar.Value)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="histogram" viewBox="0 0 %g %g" preserveAspectRatio="none" role="img" aria-label="%s">`,
		width, height, template.HTMLEscapeString(h.Label))
	step := width / math.Max(1, float64(len(h.Bars)))
	for i, bar := range h.Bars {
		tall := 0.0
		if most > 0 {
			tall = bar.Value / most * (height - margin)
		}
		fmt.Fprintf(&b, `<rect class="column" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %.6g</title></rect>`,
			float64(i)*step+step*0.08, height-tall, step*0.84, tall, template.HTMLEscapeString(bar.Name), bar.Value)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and text that is escaped
}
