// Package walls says which wing of the repository may import which, and where each outside library
// may be used. What its tables do not allow is forbidden. It holds tests only: `make lint` runs them.
package walls
