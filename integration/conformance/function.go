package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"kindred/integration/conformance/journal"
)

const (
	lambdaGuide = "lambda/latest/dg/"
	lambdaAPI   = "lambda/latest/api/"
	// Tests of kindred that hold rules of Lambda.
	coverDeadline = "lambdas/recommend TestWorkEndsBeforeTheDeadline"
	coverPanic    = "lambdas/recommend TestPanicIsNotSwallowed"
	coverProvide  = "integration TestProvisionMakesAllThenNothingThenDestroysAll"
)

func functionRows() []Behaviour {
	return []Behaviour{
		{ID: "lambda/error", Rule: "An error of the handler is answered with FunctionError Unhandled, its type and its text",
			Source: lambdaGuide + "golang-exceptions.html", Covered: coverPanic, check: checkFunctionError("error",
				"told to fail")},
		{ID: "lambda/panic", Rule: "A panic is answered as an error with its text, and the next call succeeds", Slow: true,
			Source: lambdaGuide + "golang-exceptions.html", Covered: coverPanic, check: checkFunctionError("panic",
				"told to panic")},
		{ID: "lambda/exit", Rule: "If the process ends, the call fails with Runtime.ExitError, and the " +
			"next call gets a new process",
			Source: lambdaGuide +
				"lambda-runtime-environment.html", Covered: "integration TestKilledFunctionLosesNothingAndKeepsOrder",
			check: checkFunctionError("exit", "Runtime exited with error: exit status 7")},
		{ID: "lambda/timeout",
			Rule:   "A call beyond the function's time limit ends with “Task timed out”, and the next call succeeds",
			Source: lambdaGuide + "configuration-timeout.html", Covered: coverDeadline, check: checkTimeout},
		{ID: "lambda/deadline", Rule: "The context's deadline is the function's time limit",
			Source: lambdaGuide + "golang-context.html", Covered: coverDeadline, check: checkDeadline},
		{ID: "lambda/environment", Rule: "The function gets its variables, and its name, memory and region from Lambda",
			Source: lambdaGuide +
				"configuration-envvars.html", Covered: "integration TestRatingsInMySQLBecomeRecommendationsOnS3",
			check: checkEnvironment},
		{ID: "lambda/warm", Rule: "A process serves many calls, and keeps what it made at its start", Slow: true,
			Source: lambdaGuide + "lambda-runtime-environment.html", check: checkWarm},
		{ID: "lambda/concurrent", Rule: "Calls at the same time get processes of their own", Slow: true,
			Source: lambdaGuide + "lambda-concurrency.html", check: checkConcurrent},
		{ID: "lambda/init", Rule: "If a process ends before it asks for work, the call fails", Slow: true,
			Source: lambdaGuide + "lambda-runtime-environment.html", check: checkInit},
		{ID: "lambda/large-answer", Rule: "An answer above 6 MB is refused as Function.ResponseSizeTooLarge", Slow: true,
			Source: lambdaGuide + "gettingstarted-limits.html", Covered: noTest +
				"kindred's answers are far smaller", check: checkLargeAnswer},
		{ID: "lambda/log-group", Rule: "What the function prints is in the log group /aws/lambda/NAME",
			Source: lambdaGuide +
				"monitoring-cloudwatchlogs.html", Covered: "lambdas/recommend TestLogsHoldNoCustomerField", check: checkLogGroup},
		{ID: "lambda/emf", Rule: "Metrics printed in the embedded metric format become CloudWatch metrics", Slow: true,
			Source:  "AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html",
			Covered: "lambdas/recommend TestPoisonAmongHundred", check: checkEMF},
		{ID: "lambda/code-hash", Rule: "CodeSha256 is the base64 SHA-256 of the zip", Slow: true,
			Source: lambdaAPI + "API_FunctionConfiguration.html", Covered: coverProvide, check: checkCodeHash},
		{ID: "lambda/update",
			Rule: "When LastUpdateStatus is Successful after UpdateFunctionConfiguration, calls see the new " +
				"variables", Slow: true,
			Source: lambdaGuide + "functions-states.html", Covered: coverProvide, check: checkUpdate},
		{ID: "lambda/version", Rule: "A published version keeps its configuration; an alias invokes its " +
			"version", Slow: true,
			Source: lambdaGuide + "configuration-aliases.html", Covered: coverAlias, check: checkVersion},
		{ID: "lambda/reserved-zero", Rule: "With a reserved concurrency of 0 calls are refused with TooManyRequestsException",
			Slow:   true,
			Source: lambdaGuide + "configuration-concurrency.html", check: checkReservedZero},
		{ID: "lambda/names", Rule: "Creating a function whose name exists fails with " +
			"ResourceConflictException; a missing function gives ResourceNotFoundException",
			Source: lambdaAPI + "API_CreateFunction.html", Covered: coverProvide, check: checkFunctionNames},
	}
}

// function makes the function probe with the journal in the place's bucket, and returns when it is active.
func (p *place) function(ctx context.Context, changes ...func(*lambda.CreateFunctionInput)) {
	in := p.functionInput(p.role(ctx))
	for _, change := range changes {
		change(in)
	}
	withRole(ctx, p, func() (*lambda.CreateFunctionOutput, error) { return p.lambda.CreateFunction(ctx, in) })
	p.undo(func(ctx context.Context) error {
		_, err := p.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &p.name})
		return err
	})
	p.undo(func(ctx context.Context) error { // made by the first call, if there was one
		_, err := p.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: p.logGroup()})
		if codeOf(err) == "ResourceNotFoundException" {
			return nil
		}
		return err
	})
	p.functionReady(ctx)
}

func (p *place) functionInput(role string) *lambda.CreateFunctionInput {
	variables := map[string]string{journal.BucketVariable: p.name}
	if endpoint := aws.ToString(p.target.Config.BaseEndpoint); endpoint != "" {
		variables["AWS_ENDPOINT_URL"] = endpoint
	}
	return &lambda.CreateFunctionInput{
		FunctionName: &p.name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: &role,
		Architectures: []types.Architecture{architecture()}, Code: &types.FunctionCode{ZipFile: p.target.Probe},
		MemorySize: aws.Int32(256),
		Timeout:    aws.Int32(20), Environment: &types.Environment{Variables: variables}, Tags: p.target.Tags,
	}
}

func architecture() types.Architecture {
	if runtime.GOARCH == "arm64" {
		return types.ArchitectureArm64
	}
	return types.ArchitectureX8664
}

func (p *place) logGroup() *string { return aws.String("/aws/lambda/" + p.name) }

// functionReady waits until the function is active and its last change done.
func (p *place) functionReady(ctx context.Context) {
	p.await(ctx, "the function never became active", func() bool {
		c := must(p.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &p.name}))
		if c.State == types.StateFailed || c.LastUpdateStatus == types.LastUpdateStatusFailed {
			differs("the function fails: %s %s", aws.ToString(c.StateReason), aws.ToString(c.LastUpdateStatusReason))
		}
		return c.State == types.StateActive &&
			(c.LastUpdateStatus == types.LastUpdateStatusSuccessful || c.LastUpdateStatus == "")
	})
}

// invoke calls the function.
func (p *place) invoke(ctx context.Context, c journal.Command,
	changes ...func(*lambda.InvokeInput)) (*lambda.InvokeOutput, error) {
	payload := must(json.Marshal(c))
	in := &lambda.InvokeInput{FunctionName: &p.name, Payload: payload}
	for _, change := range changes {
		change(in)
	}
	return p.lambda.Invoke(ctx, in)
}

// ask calls the function, which must answer.
func (p *place) ask(ctx context.Context, c journal.Command, changes ...func(*lambda.InvokeInput)) journal.Answer {
	out := must(p.invoke(ctx, c, changes...))
	var answer journal.Answer
	if text := string(out.Payload); out.FunctionError != nil {
		if docker.MatchString(text) {
			check(fmt.Errorf("%s", text)) // the emulator's own words
		}
		differs("the call fails")
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil || answer.Process == 0 {
		if docker.Match(out.Payload) {
			check(fmt.Errorf("%s", out.Payload)) // the emulator's own words
		}
		differs("the function is not run: the answer is none of its")
	}
	return answer
}

// fault is how Lambda reports one.
type fault struct{ ErrorType, ErrorMessage string }

func faultOf(out *lambda.InvokeOutput) (f fault) {
	_ = json.Unmarshal(out.Payload, &f) // what is no such object has neither, and the row says so
	return f
}

func checkFunctionError(do, message string) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		p.function(ctx)
		p.ask(ctx, journal.Command{})
		out := must(p.invoke(ctx, journal.Command{Do: do}))
		if aws.ToString(out.FunctionError) != "Unhandled" {
			differs("FunctionError is %q", aws.ToString(out.FunctionError))
		}
		if f := faultOf(out); f.ErrorType == "" || !strings.Contains(f.ErrorMessage, message) {
			differs("the error has another text, or no type")
		}
		p.ask(ctx, journal.Command{})
	}
}

func checkTimeout(ctx context.Context, p *place) {
	p.function(ctx, func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(2) })
	p.ask(ctx, journal.Command{})
	out := must(p.invoke(ctx, journal.Command{Do: "sleep", N: 6000}))
	if out.FunctionError == nil {
		differs("the call is not ended")
	}
	if f := faultOf(out); !strings.Contains(f.ErrorMessage, "Task timed out") {
		differs("the error has another text")
	}
	p.ask(ctx, journal.Command{})
}

func checkDeadline(ctx context.Context, p *place) {
	p.function(ctx, func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(30) })
	if left := p.ask(ctx, journal.Command{}).Left; left > 30*time.Second || left < 20*time.Second {
		differs("with a limit of 30 s it is elsewhere")
	}
}

func checkEnvironment(ctx context.Context, p *place) {
	p.function(ctx, func(in *lambda.CreateFunctionInput) { in.Environment.Variables["PROBE_TEXT"] = "a 'b' $c" })
	got := p.ask(ctx, journal.Command{}).Environment
	for name, want := range map[string]string{
		"PROBE_TEXT": "a 'b' $c", "AWS_LAMBDA_FUNCTION_NAME": p.name, "AWS_REGION": p.target.Config.Region,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
	} {
		if got[name] != want {
			differs("%s is missing or has another value", name)
		}
	}
}

func checkWarm(ctx context.Context, p *place) {
	p.function(ctx)
	first := p.ask(ctx, journal.Command{})
	second := p.ask(ctx, journal.Command{})
	if second.Process != first.Process || second.Calls != first.Calls+1 {
		differs("the second call gets a new process")
	}
	if second.RequestID == first.RequestID || !strings.Contains(second.FunctionARN, p.name) {
		differs("a call has no request id or function ARN of its own")
	}
}

func checkConcurrent(ctx context.Context, p *place) {
	p.function(ctx)
	p.ask(ctx, journal.Command{})
	const calls = 3
	answers := make([]journal.Answer, calls)
	errs := make([]error, calls)
	var wait sync.WaitGroup
	for i := range calls {
		wait.Go(func() {
			out, err := p.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &p.name, Payload: []byte(
				`{"Do":"sleep","N":2000}`)})
			if err == nil {
				err = json.Unmarshal(out.Payload, &answers[i])
			}
			errs[i] = err
		})
	}
	wait.Wait()
	processes := map[string]bool{}
	for i := range calls {
		check(errs[i])
		a := answers[i]
		// on AWS each sandbox counts from 1
		processes[fmt.Sprint(a.Process, a.Environment["AWS_LAMBDA_LOG_STREAM_NAME"])] = true
	}
	if len(processes) != calls {
		differs("calls at the same time share a process, one after the other")
	}
}

func checkInit(ctx context.Context, p *place) {
	p.function(ctx, func(in *lambda.CreateFunctionInput) { in.Environment.Variables["PROBE_FAIL_INIT"] = "yes" })
	out := must(p.invoke(ctx, journal.Command{}))
	if docker.Match(out.Payload) {
		check(fmt.Errorf("%s", out.Payload)) // the emulator's own words
	}
	if out.FunctionError == nil {
		differs("the call succeeds")
	}
	if f := faultOf(out); f.ErrorType == "" {
		differs("the error has no type")
	}
}

func checkLargeAnswer(ctx context.Context, p *place) {
	p.function(ctx)
	p.ask(ctx, journal.Command{})
	out := must(p.invoke(ctx, journal.Command{Do: "text", N: 7 << 20}))
	if out.FunctionError == nil {
		differs("an answer of 7 MiB arrives")
	}
	if f := faultOf(out); f.ErrorType != "Function.ResponseSizeTooLarge" {
		differs("the error is %q", f.ErrorType)
	}
}

func checkLogGroup(ctx context.Context, p *place) {
	p.function(ctx)
	p.ask(ctx, journal.Command{Do: "print", Text: "a line"})
	p.await(ctx, "the printed line never appeared", func() bool {
		out, err := p.logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: p.logGroup(),
			FilterPattern: aws.String(`"a line"`)})
		if codeOf(err) == "ResourceNotFoundException" { // not yet
			return false
		}
		return len(must(out, err).Events) > 0
	})
}

func checkEMF(ctx context.Context, p *place) {
	p.function(ctx)
	namespace := "conformance/" + p.name
	text := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":%q,"Dimensions":[[]],"Metrics":[{"Name":"Seen"}]}]},"Seen":1}`,
		time.Now().UnixMilli(), namespace)
	p.ask(ctx, journal.Command{Do: "print", Text: text})
	p.await(ctx, "the metric never appeared", func() bool {
		return len(must(p.alarms.ListMetrics(ctx, &cloudwatch.ListMetricsInput{Namespace: &namespace})).Metrics) > 0
	})
}

func checkCodeHash(ctx context.Context, p *place) {
	p.function(ctx)
	sum := sha256.Sum256(p.target.Probe)
	c := must(p.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &p.name}))
	if aws.ToString(c.CodeSha256) != base64.StdEncoding.EncodeToString(sum[:]) {
		differs("it is something else")
	}
}

// setText gives the function another variable.
func (p *place) setText(ctx context.Context, text string) {
	variables := maps.Clone(p.functionInput("").Environment.Variables)
	variables["PROBE_TEXT"] = text
	must(p.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &p.name, Environment: &types.Environment{Variables: variables},
	}))
	p.functionReady(ctx)
}

func checkUpdate(ctx context.Context, p *place) {
	p.function(ctx)
	p.ask(ctx, journal.Command{})
	p.setText(ctx, "new")
	if p.ask(ctx, journal.Command{}).Environment["PROBE_TEXT"] != "new" {
		differs("a call sees the old variables")
	}
}

func checkVersion(ctx context.Context, p *place) {
	p.function(ctx)
	p.setText(ctx, "one")
	version := must(p.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &p.name})).Version
	must(p.lambda.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &p.name, FunctionVersion: version,
		Name: aws.String("live")}))
	p.setText(ctx, "two")
	p.await(ctx, "the version never became active", func() bool {
		c := must(p.lambda.GetFunctionConfiguration(ctx,
			&lambda.GetFunctionConfigurationInput{FunctionName: &p.name, Qualifier: version}))
		return c.State == types.StateActive || c.State == ""
	})
	old := p.ask(ctx, journal.Command{}, func(in *lambda.InvokeInput) { in.Qualifier = aws.String("live") })
	if old.Environment["PROBE_TEXT"] != "one" {
		differs("the alias leads to the newest code")
	}
	if p.ask(ctx, journal.Command{}).Environment["PROBE_TEXT"] != "two" {
		differs("the unqualified name leads to an old version")
	}
}

func checkReservedZero(ctx context.Context, p *place) {
	p.function(ctx)
	p.ask(ctx, journal.Command{})
	must(p.lambda.PutFunctionConcurrency(ctx,
		&lambda.PutFunctionConcurrencyInput{FunctionName: &p.name, ReservedConcurrentExecutions: aws.Int32(0)}))
	_, err := p.invoke(ctx, journal.Command{})
	refused(err, "the call is served", "TooManyRequestsException")
}

func checkFunctionNames(ctx context.Context, p *place) {
	p.function(ctx)
	c := must(p.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &p.name}))
	_, err := p.lambda.CreateFunction(ctx, p.functionInput(aws.ToString(c.Role)))
	refused(err, "a second function of one name is made", "ResourceConflictException")
	_, err = p.lambda.GetFunctionConfiguration(ctx,
		&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(p.name + "-missing")})
	refused(err, "a missing function is described", "ResourceNotFoundException")
}
