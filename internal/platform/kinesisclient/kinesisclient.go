// Package kinesisclient makes clients of Kinesis Data Streams. It stands apart from package awsclient,
// because functions, which are handed their records, would link and start the client for nothing.
package kinesisclient

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// New makes a client from the SDK's configuration, which awsclient.Load reads. It makes no request.
func New(cfg aws.Config) *kinesis.Client { return kinesis.NewFromConfig(cfg) }
