package integration

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/objectstore/objectstoretest"
	"kindred/internal/platform/awsclient"
)

func TestS3Conforms(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	bucket := stack.mustBucket(t)
	var stores atomic.Int32
	objectstoretest.Run(t, func(*testing.T) objectstore.Store {
		return objectstore.NewS3(awsclient.S3(stack.AWS), bucket, fmt.Sprintf("store-%d", stores.Add(1)))
	})
}

func TestMissingBucketIsOneSentence(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), "kindred-never-created", "")
	_, _, err := objectstore.ReadAll(t.Context(), store, "k")
	const want = "read k of s3://kindred-never-created: no object store: bucket kindred-never-created does not exist"
	if !errors.Is(err, objectstore.ErrLocation) || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}
