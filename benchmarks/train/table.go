package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// The names that ratios are made from.
const (
	ours     = "kindred"
	cholesky = "C++ Eigen, Cholesky"
	dual     = "C++ Eigen, exact dual"
	implicit = "implicit, inexact CG"
)

// print writes the table, and the ratios as its last lines.
func print(w io.Writer, peak float64, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nSeconds an epoch with %d threads, best and median; GF/s: Cholesky's arithmetic by CPU seconds, of "+
		"a core's peak of %.0f; loss after the epochs of a turn\n", threads, peak)
	fmt.Fprintln(t, "data\td\tprogram\twall\tmedian\tCPU\tmedian\tGF/s\tof peak\tloss\t")
	for _, r := range rows {
		m := r.Measured
		fmt.Fprintf(t, "%s\t%d\t%s\t%.3f\t%.3f\t%.3f\t%.3f\t", r.Data, r.Dim, r.Contender, slices.Min(m.Wall), median(m.Wall),
			r.Best, median(m.CPU))
		if r.GFlops > 0 {
			fmt.Fprintf(t, "%.1f\t%.0f %%\t%.0f\t\n", r.GFlops, 100*r.GFlops/peak, m.Loss)
		} else {
			fmt.Fprint(t, "–\t–\t–\t\n")
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nCPU seconds of others / kindred's (best; 1 or more: kindred is as fast)")
	for i, r := range rows {
		if r.Contender != ours {
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t", r.Data, r.Dim)
		for _, other := range rows[i:] {
			if other.Data == r.Data && other.Dim == r.Dim && other.Contender != ours {
				fmt.Fprintf(t, "%s %.2f×\t", other.Contender, other.Best/r.Best)
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
