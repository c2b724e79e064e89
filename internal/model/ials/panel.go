package ials

import "slices"

// PanelRows is how many rows of vectors a panel has.
const PanelRows = 16

// Panels holds vectors in the form that Products reads: sixteen of them side by side, component by
// component. They take four bytes a component. Reading is safe for concurrent use.
type Panels struct {
	kernels *kernels
	dim     int
	data    []lane // of panel p the component c is at p·dim + c
}

// NewPanels makes room for n vectors of dim components, all zero.
func NewPanels(n, dim int) *Panels {
	return &Panels{chooseKernels(), dim, make([]lane, (n+PanelRows-1)/PanelRows*dim)}
}

// Len is the number of panels.
func (p *Panels) Len() int { return len(p.data) / p.dim }

// Set writes vector i, which has dim components.
func (p *Panels) Set(i int, vector []float32) {
	panel := p.panel(i / PanelRows)
	for c, v := range vector[:p.dim] {
		panel[c][i%PanelRows] = v
	}
}

// AppendVector appends vector i.
func (p *Panels) AppendVector(to []float32, i int) []float32 {
	to = slices.Grow(to, p.dim)
	for _, component := range p.panel(i / PanelRows) {
		to = append(to, component[i%PanelRows])
	}
	return to
}

func (p *Panels) panel(i int) []lane { return p.data[i*p.dim : (i+1)*p.dim] }

// Products sets out to the inner products of some vectors of a panel of queries, those whose bits are set in
// which, with the vectors of the panels from ≤ i < to: those of query q with panel i are out[(i-from)·16 +
// q]. What is in out of other queries is undefined. It runs in the caller's goroutine.
func (p *Panels) Products(queries *Panels, query int, which uint16, from, to int, out [][PanelRows]float32) {
	a := queries.panel(query)
	clear(out[:(to-from)*PanelRows])
	for i := from; i < to; i += 2 {
		c := out[(i-from)*PanelRows:]
		for o := 0; o < PanelRows; o += 4 {
			switch {
			case which>>o&15 == 0:
			case i+1 < to:
				p.kernels.tile2(c[o:], c[PanelRows+o:], a, o, p.panel(i), p.panel(i+1), false)
			default:
				p.kernels.tile(c[o:], a, o, p.panel(i), false)
			}
		}
	}
}

// Above looks at the scores of one query, as Products has set them, from its first one on: bit k of masks[i]
// tells whether the score of vector k of panel i exceeds the floor. If scale is not nil, each score is first
// multiplied by that of its vector. NaN exceeds nothing.
func (p *Panels) Above(masks []uint16, scores, scale [][PanelRows]float32, floor float32) {
	p.kernels.above(masks, scores, scale, floor)
}
