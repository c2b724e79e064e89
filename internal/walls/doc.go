// Package walls says which wing of the repository may import which, and where each outside library
// may be used. What its tables do not allow is forbidden. It also bounds the length of files and
// functions, and checks that every help text stands alone. It holds tests only, which `make lint`
// runs.
package walls
