//go:build shipped

package main

import "kindred/internal/job/train"

// planted is nil: nothing that ships links the simulation.
func planted() train.Planted { return nil }
