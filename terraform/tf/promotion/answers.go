package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Questions to a version that no traffic calls yet. recommend gets a batch without records: it must
// start with its environment. serve says whether it can answer from the database.
const (
	noRecords = `{"Records": []}`
	health    = `{"version": "2.0", "rawPath": "/health", "requestContext": {"http": {"method": "GET", "path": "/health"}}}`
)

// ask invokes a version of a function. An answer over HTTP must have the status 200.
func (p *Promotion) ask(ctx context.Context, function, version, question string) error {
	done, err := lambda.NewFromConfig(p.AWS).Invoke(ctx,
		&lambda.InvokeInput{FunctionName: &function, Qualifier: &version, Payload: []byte(question)})
	if err != nil {
		return err
	}
	if done.FunctionError != nil {
		return fmt.Errorf("%w: %s: %s", ErrAnswer, aws.ToString(done.FunctionError), tail(string(done.Payload)))
	}
	var answer struct {
		StatusCode int
		Body       string
	}
	if question == health {
		if err := json.Unmarshal(done.Payload, &answer); err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: status %d: %s", ErrAnswer, answer.StatusCode, tail(answer.Body))
		}
	}
	return nil
}
