package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// functionURL lets an http.Handler answer a Lambda function URL. See the payload format version 2.0 in
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html.
func functionURL(h http.Handler) func(context.Context,
	events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
	return func(ctx context.Context, in events.LambdaFunctionURLRequest) (events.LambdaFunctionURLResponse, error) {
		body := []byte(in.Body)
		if in.IsBase64Encoded {
			var err error
			if body, err = base64.StdEncoding.DecodeString(in.Body); err != nil {
				return events.LambdaFunctionURLResponse{}, fmt.Errorf("decode request body: %w", err)
			}
		}
		request, err := http.NewRequestWithContext(ctx, in.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
		if err != nil {
			return events.LambdaFunctionURLResponse{}, fmt.Errorf("read request: %w", err)
		}
		request.URL = &url.URL{Path: in.RawPath, RawQuery: in.RawQueryString}
		if path, err := url.PathUnescape(in.RawPath); err == nil {
			request.URL.Path, request.URL.RawPath = path, in.RawPath
		}
		for name, value := range in.Headers {
			request.Header.Set(name, value)
		}
		request.Host, request.RemoteAddr = in.RequestContext.DomainName, in.RequestContext.HTTP.SourceIP
		out := answer{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(&out, request)
		headers := make(map[string]string, len(out.header))
		for name, values := range out.header {
			headers[name] = strings.Join(values, ", ")
		}
		return events.LambdaFunctionURLResponse{StatusCode: out.status, Headers: headers, Body: out.body.String()}, nil
	}
}

// answer is an http.ResponseWriter that keeps what is written. The bodies are JSON, so they need no base64.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header               { return a.header }
func (a *answer) WriteHeader(status int)            { a.status = status }
func (a *answer) Write(p []byte) (n int, err error) { return a.body.Write(p) }
