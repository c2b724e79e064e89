package awsenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"kindred/internal/platform/patience"
)

// MaxAnswer bounds what is read of an answer: PutRecordBatch's has 500 entries of some 300 bytes, and a
// part of an object is as long as was asked for.
const MaxAnswer = 4 << 20

// Client sends signed requests to one service. It is safe for concurrent use.
type Client struct {
	// Local is where the environment says that the service is; nil on AWS itself.
	Local       *url.URL
	environment Environment
	service     string
	http        *awshttp.BuildableClient
	signer      *v4.Signer
}

// NewClient makes a client of a service by the name that its signatures and hosts have, such as
// "s3". Its requests keep the limits of package patience. It makes none yet.
func NewClient(e Environment, service string) (*Client, error) {
	local, err := e.endpoint(service)
	if err != nil {
		return nil, err
	}
	limits, err := patience.HTTP()
	if err != nil {
		return nil, err
	}
	return &Client{local, e, service, awshttp.NewBuildableClient().WithTransportOptions(limits.Transport),
		// S3 signs the path as it is sent
		v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })}, nil
}

// Host is the service's host on AWS, in the environment's region.
func (c *Client) Host() string {
	host := c.service + "." + c.environment.Region + ".amazonaws.com"
	if strings.HasPrefix(c.environment.Region, "cn-") {
		host += ".cn"
	}
	return host
}

// Answer is a response that is read.
type Answer struct {
	Code   int
	Status string // such as "404 Not Found"
	Header http.Header
	Body   []byte
}

// Send signs a request and reads its answer, whatever the status. The body is sent with its hash,
// which the service compares.
func (c *Client) Send(ctx context.Context, method string, target *url.URL, header http.Header,
	body []byte) (*Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	maps.Copy(request.Header, header)
	request.Header.Set("X-Amz-Content-Sha256", hash)
	who, err := c.environment.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("find credentials: %w", err)
	}
	if err := c.signer.SignHTTP(ctx, who, request, hash, c.service, c.environment.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // read whole, or given up
	var said bytes.Buffer
	said.Grow(int(min(max(response.ContentLength, 0), MaxAnswer)) + bytes.MinRead) // in one piece: it may be long
	if _, err := said.ReadFrom(io.LimitReader(response.Body, MaxAnswer)); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &Answer{response.StatusCode, response.Status, response.Header, said.Bytes()}, nil
}
