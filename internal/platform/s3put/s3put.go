// Package s3put writes single new objects to S3, for functions: one request an object, sent again
// while a retry may help. It owns that request and nothing else. Programs use package objectstore.
package s3put

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"kindred/internal/platform/awsenv"
)

const (
	// tries bounds how often a request is sent that S3 asks to send again: throttled, failed inside,
	// or in conflict with another writer of the same object (409). Whoever asked comes again later.
	tries = 5
	// firstPause is the pause before the second try; it doubles each time.
	firstPause = 50 * time.Millisecond
)

// errAgain marks an error that another try may mend.
var errAgain = errors.New("S3 did not take the object")

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
		return nil, fmt.Errorf("write to %q: neither a bucket nor s3://bucket/prefix", location)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	client, err := awsenv.NewClient(e, "s3")
	if err != nil {
		return nil, fmt.Errorf("write to bucket %s: %w", name, err)
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
	pause := firstPause
	for try := 1; ; try++ {
		err := b.put(ctx, key, data)
		if err == nil {
			return nil
		}
		if try < tries && errors.Is(err, errAgain) {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
				pause *= 2
				continue
			}
		}
		return fmt.Errorf("write %s to bucket %s: %w", key, b.name, err)
	}
}

func (b *Bucket) put(ctx context.Context, key string, data []byte) error {
	target := b.base
	target.Path += key
	target.RawPath = httpbinding.EscapePath(target.Path, false)
	answer, err := b.client.Send(ctx, http.MethodPut, &target, http.Header{"If-None-Match": {"*"}}, data)
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	switch code := answer.Code; {
	case code < 300, code == http.StatusPreconditionFailed:
		return nil
	case code >= 500, code == http.StatusConflict, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("%w: %s %s", errAgain, answer.Status, codeOf(answer.Body))
	default:
		return fmt.Errorf("%s %s", answer.Status, codeOf(answer.Body))
	}
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
