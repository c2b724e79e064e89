// Package s3put writes single new objects to S3, for functions: one signed request an object, sent again while a retry may help. It owns
// that request and nothing else; the SDK's S3 client would be a tenth of a function's size. Programs use package objectstore.
package s3put

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

const (
	// tries bounds how often a request is sent that S3 asks to send again: throttled, failed inside, or in conflict with another
	// writer of the same object (409). Whoever asked comes again later.
	tries = 5
	// firstPause is the pause before the second try; it doubles each time.
	firstPause = 50 * time.Millisecond
	// maxAnswer bounds what is read of an error's text.
	maxAnswer = 8 << 10
)

// errAgain marks an error that another try may mend.
var errAgain = errors.New("S3 did not take the object")

// Bucket is the part of a bucket under one prefix. It is safe for concurrent use.
type Bucket struct {
	cfg    aws.Config
	client aws.HTTPClient
	signer *v4.Signer
	base   url.URL // of the prefix, with a slash at its end
	name   string
}

// New makes a Bucket at a name or s3://name/prefix. It makes no request.
func New(cfg aws.Config, location string) (*Bucket, error) {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if name == "" || strings.ContainsAny(location, "?#") || strings.Contains(name, ":") {
		return nil, fmt.Errorf("write to %q: neither a bucket nor s3://bucket/prefix", location)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	b := &Bucket{cfg: cfg, client: cfg.HTTPClient, name: name,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })} // S3 signs the path as it is sent
	if b.client == nil {
		b.client = awshttp.NewBuildableClient()
	}
	if cfg.BaseEndpoint != nil { // local: buckets by path
		base, err := url.Parse(*cfg.BaseEndpoint)
		if err != nil {
			return nil, fmt.Errorf("read S3's endpoint: %w", err)
		}
		b.base = *base.JoinPath(name, prefix, "/")
		return b, nil
	}
	host := "s3." + cfg.Region + ".amazonaws.com"
	if strings.HasPrefix(cfg.Region, "cn-") {
		host += ".cn"
	}
	b.base = url.URL{Scheme: "https", Host: name + "." + host, Path: "/" + prefix}
	if strings.Contains(name, ".") { // the certificate covers one label
		b.base.Host, b.base.Path = host, "/"+name+"/"+prefix
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
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("If-None-Match", "*")
	request.Header.Set("X-Amz-Content-Sha256", hash) // S3 compares it with what it got
	who, err := b.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find credentials: %w", err)
	}
	if err := b.signer.SignHTTP(ctx, who, request, hash, "s3", b.cfg.Region, time.Now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	defer func() { _ = response.Body.Close() }() // read for its text only
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch code := response.StatusCode; {
	case code < 300, code == http.StatusPreconditionFailed:
		return nil
	case code >= 500, code == http.StatusConflict, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("%w: %s %s", errAgain, response.Status, codeOf(said))
	default:
		return fmt.Errorf("%s %s", response.Status, codeOf(said))
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
