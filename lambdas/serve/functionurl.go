package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// call is a request as the function gets it, from its URL or from the REST API before it (terraform/modules/front).
// Both keep the path percent-encoded. What the other one sends is empty. See
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html.
type call struct {
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		DomainName string `json:"domainName"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"` // of the URL
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"` // of the API
	} `json:"requestContext"`

	RawPath        string `json:"rawPath"` // of the URL
	RawQueryString string `json:"rawQueryString"`

	Method string              `json:"httpMethod"` // of the API
	Path   string              `json:"path"`       // without the stage
	Query  map[string][]string `json:"multiValueQueryStringParameters"`
}

// request is the HTTP request of a call.
func (c *call) request(ctx context.Context) (*http.Request, error) {
	body := []byte(c.Body)
	if c.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(c.Body); err != nil {
			return nil, fmt.Errorf("decode request body: %w", err)
		}
	}
	about := c.RequestContext
	method, path, query, address := about.HTTP.Method, c.RawPath, c.RawQueryString, about.HTTP.SourceIP
	if c.Method != "" {
		method, path, query, address = c.Method, c.Path, url.Values(c.Query).Encode(), about.Identity.SourceIP
	}
	request, err := http.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	request.URL = &url.URL{Path: path, RawQuery: query}
	if decoded, err := url.PathUnescape(path); err == nil {
		request.URL.Path, request.URL.RawPath = decoded, path
	}
	for name, value := range c.Headers {
		request.Header.Set(name, value)
	}
	request.Host, request.RemoteAddr = about.DomainName, address
	return request, nil
}

// called is the answer to a call. The API refuses one that has other members.
type called struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

// onLambda lets an http.Handler answer the function's calls.
func onLambda(h http.Handler) func(context.Context, call) (called, error) {
	return func(ctx context.Context, in call) (called, error) {
		request, err := in.request(ctx)
		if err != nil {
			return called{}, err
		}
		out := answer{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(&out, request)
		headers := make(map[string]string, len(out.header))
		for name, values := range out.header {
			headers[name] = strings.Join(values, ", ")
		}
		return called{out.status, headers, out.body.String()}, nil
	}
}

// answer is an http.ResponseWriter that keeps what is written. The bodies are texts, so they need no base64.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header               { return a.header }
func (a *answer) WriteHeader(status int)            { a.status = status }
func (a *answer) Write(p []byte) (n int, err error) { return a.body.Write(p) }
