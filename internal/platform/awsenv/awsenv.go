// Package awsenv is AWS as a function sees it: what Lambda sets in its environment and nothing
// else, and signed requests to single services. The SDK's own configuration (package awsclient)
// also knows shared files, single sign-on and metadata services, and its clients all that a service
// can do: a function with them would be a fourth larger, start later, and take longer to hand a
// batch to Firehose.
package awsenv

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Environment is what Lambda sets. It does not change: Lambda replaces the process before its
// credentials end. A program that is no function has one too, by Of.
type Environment struct {
	Region      string
	Credentials aws.CredentialsProvider
	getenv      func(string) string
}

// Load reads region and credentials: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
func Load(getenv func(string) string) (Environment, error) {
	region, key, secret := getenv("AWS_REGION"), getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	if region == "" || key == "" || secret == "" {
		return Environment{}, errors.New("AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not all set")
	}
	return Environment{region, credentials.NewStaticCredentialsProvider(key, secret, getenv("AWS_SESSION_TOKEN")), getenv},
		nil
}

// Of is the environment of a program with the SDK's own configuration. Its credentials may be renewed.
func Of(cfg aws.Config, getenv func(string) string) Environment {
	return Environment{cfg.Region, cfg.Credentials, getenv}
}

// endpoint finds where AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL says that the service is; nil
// when neither is set.
func (e Environment) endpoint(service string) (*url.URL, error) {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + strings.ToUpper(service), "AWS_ENDPOINT_URL"} {
		if value := e.getenv(name); value != "" {
			endpoint, err := url.Parse(value)
			if err != nil || endpoint.Host == "" {
				return nil, fmt.Errorf("%s is %q, want a URL such as http://127.0.0.1:4566", name, value)
			}
			return endpoint, nil
		}
	}
	return nil, nil
}
