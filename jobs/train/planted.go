//go:build !shipped

package main

import (
	"kindred/internal/job/train"
	"kindred/internal/lab/plantedshop"
)

// planted lets train measure the best possible ranking of a generated shop. What ships to AWS is
// built without it (tag shipped, package artifact).
func planted() train.Planted { return plantedshop.Source{} }
