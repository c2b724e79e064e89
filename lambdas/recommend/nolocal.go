//go:build onlambda

package main

import (
	"fmt"
	"os"
)

// local is not in the function: its flag library would make the zip larger.
func local([]string) int {
	fmt.Fprintln(os.Stderr, "recommend: this build runs as a Lambda function only")
	return 2
}
