package awsclient_test

import (
	"testing"

	"kindred/internal/platform/awsclient"
)

// Buckets have no name of their own on a local endpoint, and must have one on AWS.
func TestS3AddressesBucketsByPathOnlyWithAnEndpoint(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	for name, want := range map[string]bool{"": false, "http://127.0.0.1:4566": true} {
		t.Setenv("AWS_ENDPOINT_URL", name)
		cfg, err := awsclient.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := awsclient.S3(cfg).Options().UsePathStyle; got != want {
			t.Errorf("endpoint %q: path style %v, want %v", name, got, want)
		}
	}
}
