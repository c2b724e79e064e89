package objectstore

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestAConflictThatLastsIsNotTakenForAWrittenObject: who is told that the object exists throws its
// own copy away.
func TestAConflictThatLastsIsNotTakenForAWrittenObject(t *testing.T) {
	t.Parallel()
	for status, exists := range map[int]bool{http.StatusConflict: false, http.StatusPreconditionFailed: true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		client := s3.New(s3.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1,
			Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider("test", "test", ""))})
		_, err := NewS3(client, "bucket", "").Put(t.Context(), "key", strings.NewReader("x"), 1, Condition{IfNoneMatch: true})
		if err == nil || errors.Is(err, ErrPrecondition) != exists {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
