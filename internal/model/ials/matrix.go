package ials

import "fmt"

// Matrix is a sparse matrix of confidences by rows. Row r has the cells [Start[r], Start[r+1]).
// It takes 8 bytes per interaction.
type Matrix struct {
	Rows, Cols int
	Start      []int     // len Rows+1, ascending
	Col        []int32   // ascending within a row, no duplicates
	Weight     []float32 // confidence c of the cell, finite and positive
}

// Transposed is m by columns.
func (m *Matrix) Transposed() *Matrix {
	t := &Matrix{Rows: m.Cols, Cols: m.Rows, Start: make([]int, m.Cols+1), Col: make([]int32, len(m.Col)),
		Weight: make([]float32, len(m.Col))}
	for _, c := range m.Col {
		t.Start[c+1]++
	}
	for c := range m.Cols {
		t.Start[c+1] += t.Start[c]
	}
	next := append([]int(nil), t.Start...)
	for r := range m.Rows {
		for i := m.Start[r]; i < m.Start[r+1]; i++ {
			c := m.Col[i]
			t.Col[next[c]], t.Weight[next[c]] = int32(r), m.Weight[i]
			next[c]++
		}
	}
	return t
}

// Row is the cells of one row; the caller must not change them.
func (m *Matrix) Row(r int) (cols []int32, weights []float32) {
	return m.Col[m.Start[r]:m.Start[r+1]], m.Weight[m.Start[r]:m.Start[r+1]]
}

// Empty says whether a row has no cells.
func (m *Matrix) Empty(r int) bool { return m.Start[r] == m.Start[r+1] }

func (m *Matrix) validate() error {
	if m.Rows <= 0 || m.Cols <= 0 || len(m.Col) == 0 {
		return fmt.Errorf("read %d × %d matrix: %w", m.Rows, m.Cols, ErrNoInteractions)
	}
	if len(m.Start) != m.Rows+1 || m.Start[0] != 0 || m.Start[m.Rows] != len(m.Col) || len(m.Weight) != len(m.Col) {
		return fmt.Errorf("read matrix: %d row starts, %d columns, %d weights: %w", len(m.Start), len(m.Col), len(m.Weight),
			ErrInvalid)
	}
	for r := range m.Rows {
		if m.Start[r] > m.Start[r+1] {
			return fmt.Errorf("read matrix: row %d ends before it starts: %w", r, ErrInvalid)
		}
		cols, weights := m.Row(r)
		for i, c := range cols {
			if c < 0 || int(c) >= m.Cols || i > 0 && c <= cols[i-1] {
				return fmt.Errorf("read matrix: row %d has column %d out of order or range: %w", r, c, ErrInvalid)
			}
			if w := weights[i]; !(w > 0) || w-w != 0 {
				return fmt.Errorf("read matrix: row %d has weight %g: %w", r, w, ErrInvalid)
			}
		}
	}
	return nil
}
