package promotion

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Plan plans, and returns what an apply would change and what the environment costs afterwards. It changes nothing.
func (p *Promotion) Plan(ctx context.Context) ([]Change, Cost, error) {
	changes, cost, _, err := p.planned(ctx)
	return changes, cost, err
}

// Held returns the addresses of the resources in the environment's state.
func (p *Promotion) Held(ctx context.Context) ([]string, error) {
	text, err := p.Root.Run(ctx, "state", "list")
	if err != nil && strings.Contains(err.Error(), "No state file was found") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var held []string
	for line := range strings.Lines(string(text)) {
		// What is only read is no resource: data.aws_…, or module.….data.aws_….
		if line = strings.TrimSpace(line); line != "" && !strings.Contains("."+line, ".data.") {
			held = append(held, line)
		}
	}
	return held, nil
}

// Destroy deletes everything that Terraform made in the environment. It asks nobody.
func (p *Promotion) Destroy(ctx context.Context) error {
	root := *p.Root
	root.Out, _ = p.Out.(*os.File)
	_, err := root.Run(ctx, append(append([]string{"destroy", "-input=false", "-no-color", "-auto-approve"},
		p.arguments()...), p.More...)...)
	return err
}

// logTime is how long the last lines of a task may take to its log.
const logTime = time.Minute

// Result returns the result that a program's task printed, as one JSON object: docs/formats.md, result of a program.
func (p *Promotion) Result(ctx context.Context, o Outputs, program, task string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, logTime)
	defer stop()
	family, _, _ := strings.Cut(o.Batch.Tasks[program][strings.LastIndex(o.Batch.Tasks[program], "/")+1:], ":")
	group, stream := "/ecs/"+family, program+"/"+program+"/"+task[strings.LastIndex(task, "/")+1:]
	client := cloudwatchlogs.NewFromConfig(p.AWS)
	for {
		read, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream})
		for i := 0; err == nil && i < len(read.Events); i++ {
			line := []byte(aws.ToString(read.Events[i].Message))
			if bytes.HasPrefix(line, []byte(`{"program":`)) {
				return line, nil
			}
		}
		if waited := p.wait(ctx); waited != nil {
			return nil, fmt.Errorf("read the result of %s in %s, %s: nothing for %v (%w)", program, group, stream, logTime,
				cmp.Or(err, waited))
		}
	}
}

// Call invokes the live version of a function, and returns its answer and the end of its log, with the line REPORT.
func (p *Promotion) Call(ctx context.Context, o Outputs, function, question string) (answer, log []byte, err error) {
	done, err := lambda.NewFromConfig(p.AWS).Invoke(ctx, &lambda.InvokeInput{FunctionName: &function,
		Qualifier: &o.Functions.Alias, Payload: []byte(question), LogType: types.LogTypeTail})
	if err != nil {
		return nil, nil, fmt.Errorf("invoke %s: %w", function, err)
	}
	if done.FunctionError != nil {
		return nil, nil, fmt.Errorf("%w: %s: %s", ErrAnswer, aws.ToString(done.FunctionError), tail(string(done.Payload)))
	}
	return done.Payload, []byte(aws.ToString(done.LogResult)), nil
}

// AlarmsRaised returns which of the alarms that a bad version raises are raised.
func (p *Promotion) AlarmsRaised(ctx context.Context, o Outputs) ([]string, error) {
	return p.raised(ctx, o.Alarms)
}
