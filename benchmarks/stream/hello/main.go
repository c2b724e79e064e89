// Hello is the smallest function: how soon can one start?
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() {
	lambda.Start(func() (string, error) { return "hello, world", nil })
}
