package acceptance

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"kindred/internal/platform/awsclient"
	"kindred/terraform/tf/awsday"
)

// TestAWSDayOnMoto runs the day with an account on moto: it makes the environment, restores its database into a second
// instance, and destroys both. A row that moto cannot answer says so. A second day is refused while the environment
// exists, and changes nothing.
func TestAWSDayOnMoto(t *testing.T) {
	w := mustOpen(t)
	moto := mustMoto(t, w)
	cfg := aws.Config{Region: awsRegion, BaseEndpoint: &moto.endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	_, err := awsclient.S3(cfg).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(stateBucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: awsRegion}})
	if err != nil {
		t.Fatal(err)
	}
	before := mustCount(t, moto)
	env := newEnvironment(t, w, moto, "day")
	p := env.promotion(cfg, mustRegistry(t), "")
	p.EmptyShop = true
	var second error
	p.Smoke = func(ctx context.Context, _ []string) error {
		_, second = awsday.NewEnvironment(p).Estimate(ctx)
		return nil
	}
	account := awsday.NewEnvironment(p)
	account.Probe = 10 * time.Millisecond
	folder := t.TempDir()
	day := awsday.Day{Account: account, Budget: 100, Emulator: true, Pause: time.Millisecond, Out: &bytes.Buffer{},
		Agree: func(string) error { return nil },
		Save:  func(r awsday.Report) error { return r.Write(folder, "day") }}
	report, err := day.Run(t.Context())
	if err != nil {
		t.Errorf("%v\n%s%s", err, day.Out, p.Out)
	}
	if !errors.Is(second, awsday.ErrExists) {
		t.Errorf("a second day of the environment: %v", second)
	}
	t.Logf("the day took %v\n%s", report.Ended.Sub(report.Began).Round(time.Second),
		mustRead(t, filepath.Join(folder, "day.md")))
	answered := []string{"apply", "erase-secret", "settled", "restore", "destroy"}
	for _, a := range report.Answers {
		want := awsday.NeedsAWS
		if slices.Contains(answered, a.ID) {
			want = awsday.Passed
		}
		if a.Status != want {
			t.Errorf("%s is %s (%s), want %s", a.ID, a.Status, a.Seen, want)
		}
	}
	for kind, n := range mustCount(t, moto) {
		if _, listed := leftovers()[kind]; n > before[kind] && !listed {
			t.Errorf("the day leaves %d of %s", n-before[kind], kind)
		}
	}
}
