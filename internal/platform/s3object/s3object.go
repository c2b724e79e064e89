// Package s3object writes single new objects to S3 and reads parts of others, for functions: one request
// each, sent again while a retry may help. It owns these requests and nothing else. Programs use
// package objectstore.
package s3object

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/objectkey"
	"kindred/internal/platform/retry"
)

// policy is short: the stream sends the event again later. S3 asks to repeat a request that it
// throttled, that failed inside S3, or that met another writer of the same object (409).
var policy = retry.Policy{Tries: 5, FirstPause: 50 * time.Millisecond, LongestPause: time.Second, Jitter: 0.2}

// Bucket is the part of a bucket under one prefix. It is safe for concurrent use.
type Bucket struct {
	client *awsenv.Client
	base   url.URL // of the prefix, with a slash at its end
	name   string
}

// New makes a Bucket at a name or s3://name/prefix. It makes no request.
func New(e awsenv.Environment, location string) (*Bucket, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if name == "" || strings.ContainsAny(location, "?#") || strings.Contains(name, ":") {
		return nil, fmt.Errorf("use %q: neither a bucket nor s3://bucket/prefix", location)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	client, err := awsenv.NewClient(e, "s3")
	if err != nil {
		return nil, fmt.Errorf("use bucket %s: %w", name, err)
	}
	b := &Bucket{client: client, name: name,
		base: url.URL{Scheme: "https", Host: name + "." + client.Host(), Path: "/" + prefix}}
	switch {
	case client.Local != nil: // buckets by path
		b.base = *client.Local.JoinPath(name, prefix, "/")
	case strings.Contains(name, "."): // the certificate covers one label
		b.base.Host, b.base.Path = client.Host(), "/"+name+"/"+prefix
	}
	return b, nil
}

// PutNew writes an object that is not there yet. One that lies there already stays, and is no error.
func (b *Bucket) PutNew(ctx context.Context, key string, data []byte) error {
	if err := objectkey.Check(key); err != nil {
		return fmt.Errorf("write to bucket %s: %w", b.name, err)
	}
	if err := policy.Do(ctx, func(ctx context.Context) error { return b.put(ctx, key, data) }); err != nil {
		return fmt.Errorf("write %s to bucket %s: %w", key, b.name, err)
	}
	return nil
}

func (b *Bucket) put(ctx context.Context, key string, data []byte) error {
	answer, err := b.client.Send(ctx, http.MethodPut, b.at(key), http.Header{"If-None-Match": {"*"}}, data)
	if err != nil {
		return err
	}
	if answer.Code < 300 || answer.Code == http.StatusPreconditionFailed {
		return nil
	}
	return fault(answer)
}

// MaxRange is the longest range that ReadRange reads, in bytes.
const MaxRange = awsenv.MaxAnswer

// ReadRange reads n bytes of an object from an offset on: fewer only if the object ends there.
func (b *Bucket) ReadRange(ctx context.Context, key string, from, n int64) (data []byte, err error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, from+n-1)}}
	err = policy.Do(ctx, func(ctx context.Context) error {
		answer, err := b.client.Send(ctx, http.MethodGet, b.at(key), header, nil)
		switch {
		case err != nil:
			return err
		case answer.Code != http.StatusPartialContent:
			return fault(answer)
		}
		data = answer.Body
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s of bucket %s from byte %d: %w", key, b.name, from, err)
	}
	return data, nil
}

// at is an object's address.
func (b *Bucket) at(key string) *url.URL {
	target := b.base
	target.Path += key
	target.RawPath = httpbinding.EscapePath(target.Path, false)
	return &target
}

func fault(answer *awsenv.Answer) error {
	return &retry.StatusError{Code: answer.Code, Status: answer.Status, Service: codeOf(answer.Body)}
}

// codeOf finds the error's code in S3's XML, such as NoSuchBucket; "" when there is none.
func codeOf(said []byte) string {
	_, rest, _ := bytes.Cut(said, []byte("<Code>"))
	code, _, found := bytes.Cut(rest, []byte("</Code>"))
	if !found {
		return ""
	}
	return string(code)
}
