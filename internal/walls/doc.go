// Package walls says which wing of the repository may import which, and where each outside library
// may be used. What its tables do not allow is forbidden. It also bounds the length of files and
// functions. It holds tests only: `make lint` runs them.
package walls
