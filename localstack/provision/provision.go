// Package provision makes the local stack's AWS resources from localstack/settings: buckets, roles,
// stream, delivery stream, function and event source mapping, each compared with what exists and
// changed only where it differs. It owns no endpoint and no value of a setting, and it refuses
// everything but the emulator's account: on AWS, Terraform makes the same resources.
//
// LocalStack keeps nothing over a restart: Apply must run again, and then creates everything, with
// empty buckets and an empty stream. LocalStack does not keep the mapping's checkpoint either.
// After the mapping was changed or created again, it reads the stream from its starting position,
// so the function sees old records again. Recommendation ids are the same both times, and readers
// dedupe by them.
package provision

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"

	"kindred/internal/platform/awsclient"
	"kindred/localstack/settings"
)

// Function is what the function recommend runs: a zip with `bootstrap`, and its environment,
// without what Apply adds (AWS_ENDPOINT_URL, ARTIFACTS_BUCKET, MEMORY_SHARE,
// RECOMMENDATIONS_DELIVERY_STREAM, RECOMMENDATIONS_BUCKET). A value given here wins.
type Function struct {
	Zip []byte
	Env map[string]string
	// Serve is the zip of the function serve, with ServeEnv and what every function has; empty: that function is
	// not made.
	Serve    []byte
	ServeEnv map[string]string
}

// Resources is what exists after Apply.
type Resources struct {
	Buckets           []string `json:"buckets"`
	StreamARN         string   `json:"stream_arn"`
	DeliveryStreamARN string   `json:"delivery_stream_arn"`
	FunctionARN       string   `json:"function_arn"`
	FunctionRevision  string   `json:"function_revision"` // changes with every change of the function
	FunctionSHA256    string   `json:"function_sha256"`   // of the zip, base64 as Lambda writes it
	MappingID         string   `json:"mapping_id"`
	ServeURL          string   `json:"serve_url,omitempty"` // of the function serve, when it was made
	// what was made or changed, sorted; empty when all was as it should be
	Changes []string `json:"changes"`
}

// provisioner holds the clients of one run.
type provisioner struct {
	s3       *s3.Client
	iam      *iam.Client
	kinesis  *kinesis.Client
	firehose *firehose.Client
	lambda   *lambda.Client
	logs     *cloudwatchlogs.Client
	settings settings.Settings

	mu      sync.Mutex
	changes []string
}

// changed notes one change for Resources.Changes.
func (p *provisioner) changed(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes = append(p.changes, fmt.Sprintf(format, args...))
}

// Apply makes everything in s that is missing, changes what differs, and waits until all of it is
// active. A second Apply with the same arguments changes nothing.
func Apply(ctx context.Context, cfg aws.Config, s settings.Settings, f Function) (Resources, error) {
	p, err := open(ctx, cfg, s)
	if err != nil {
		return Resources{}, err
	}
	if len(f.Zip) == 0 {
		return Resources{}, fmt.Errorf("make function %s: its zip is empty", s.Functions.Recommend.Name)
	}
	var r Resources
	var functionRole, deliveryRole string
	group, groupCtx := errgroup.WithContext(ctx)
	for _, b := range s.Buckets.All() {
		r.Buckets = append(r.Buckets, b.Name)
		group.Go(func() error { return p.bucket(groupCtx, b, cfg.Region) })
	}
	group.Go(func() (err error) { functionRole, err = p.role(groupCtx, functionRoleOf(s)); return err })
	group.Go(func() (err error) { deliveryRole, err = p.role(groupCtx, deliveryRoleOf(s)); return err })
	group.Go(func() (err error) { r.StreamARN, err = p.stream(groupCtx); return err })
	group.Go(func() error { return p.logGroup(groupCtx, s.Functions.Recommend) })
	if err := group.Wait(); err != nil {
		return Resources{}, err
	}

	group, groupCtx = errgroup.WithContext(ctx)
	group.Go(func() (err error) { r.DeliveryStreamARN, err = p.delivery(groupCtx, deliveryRole); return err })
	group.Go(func() error {
		c, err := p.function(groupCtx, s.Functions.Recommend, functionRole, f.Zip, functionEnv(cfg, s, f.Env))
		r.FunctionARN, r.FunctionRevision = aws.ToString(c.FunctionArn), aws.ToString(c.RevisionId)
		r.FunctionSHA256 = aws.ToString(c.CodeSha256)
		return err
	})
	if len(f.Serve) > 0 {
		group.Go(func() (err error) {
			env := serveEnv(cfg, s, map[string]string{"ACTIVITY_STREAM": s.Stream.Name})
			maps.Copy(env, f.ServeEnv)
			r.ServeURL, err = p.serve(groupCtx, f.Serve, env)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Resources{}, err
	}

	if r.MappingID, err = p.mapping(ctx, r.StreamARN, r.FunctionARN); err != nil {
		return Resources{}, err
	}
	sort.Strings(p.changes)
	r.Changes = p.changes
	return r, nil
}

// serve makes the function serve with all that it needs, and returns its URL.
func (p *provisioner) serve(ctx context.Context, zip []byte, env map[string]string) (url string, err error) {
	s := p.settings.Functions.Serve
	role, err := p.role(ctx, serveRoleOf(p.settings))
	if err != nil {
		return "", err
	}
	if err := p.logGroup(ctx, s); err != nil {
		return "", err
	}
	if _, err := p.function(ctx, s, role, zip, env); err != nil {
		return "", err
	}
	return p.functionURL(ctx, s)
}

func functionEnv(cfg aws.Config, s settings.Settings, given map[string]string) map[string]string {
	env := map[string]string{"RECOMMENDATIONS_BUCKET": s.Buckets.Recommendations.Name}
	maps.Copy(env, serveEnv(cfg, s, given))
	return env
}

func serveEnv(cfg aws.Config, s settings.Settings, given map[string]string) map[string]string {
	env := map[string]string{"AWS_ENDPOINT_URL": aws.ToString(cfg.BaseEndpoint),
		"ARTIFACTS_BUCKET": s.Buckets.Artifacts.Name, "MEMORY_SHARE": memoryShare,
		"RECOMMENDATIONS_DELIVERY_STREAM": s.Delivery.Name}
	maps.Copy(env, given)
	return env
}

// memoryShare is the default of the Terraform modules.
const memoryShare = "0.5"

// open checks that cfg leads to the emulator, and nowhere else, and makes the clients.
func open(ctx context.Context, cfg aws.Config, s settings.Settings) (*provisioner, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("check settings: %w", err)
	}
	if err := checkEndpoint(aws.ToString(cfg.BaseEndpoint)); err != nil {
		return nil, err
	}
	if cfg.Region != s.Region {
		return nil, fmt.Errorf("%w: the region is %q, the settings say %q; set AWS_REGION",
			ErrWrongTarget, cfg.Region, s.Region)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("ask whose account answers at %s: %w", aws.ToString(cfg.BaseEndpoint), err)
	}
	if account := aws.ToString(identity.Account); account != s.AccountID {
		return nil, fmt.Errorf("%w: the account is %s, the settings allow %s only", ErrWrongTarget, account, s.AccountID)
	}
	return &provisioner{
		s3: awsclient.S3(cfg), iam: iam.NewFromConfig(cfg), kinesis: kinesis.NewFromConfig(cfg),
		firehose: firehose.NewFromConfig(cfg),
		lambda:   lambda.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), settings: s, changes: []string{},
	}, nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return fmt.Errorf("%w: AWS_ENDPOINT_URL is not set, so this would be AWS; there Terraform makes the resources",
			ErrWrongTarget)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("%w: AWS_ENDPOINT_URL %q is no URL", ErrWrongTarget, endpoint)
	}
	if host := u.Hostname(); strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") {
		return fmt.Errorf("%w: AWS_ENDPOINT_URL is AWS itself (%s); there Terraform makes the resources", ErrWrongTarget,
			host)
	}
	return nil
}

const (
	settleTime = 60 * time.Second      // the slowest step on LocalStack takes 2 s, on a busy machine some more
	pollEvery  = 50 * time.Millisecond // the emulator answers in a few milliseconds
)

// settle asks done until it says so, fails, or settleTime is over. done says what it saw, for the error.
func settle(ctx context.Context, what string, done func(context.Context) (ok bool, seen string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	seen := "nothing"
	for {
		ok, state, err := done(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait until %s: %w", what, err)
		case err == nil && ok:
			return nil
		case err == nil:
			seen = state
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s (last seen: %s): %w", what, seen, ctx.Err())
		case <-tick.C:
		}
	}
}
