package program

import (
	"net"
	"net/url"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// A placer is a piece of configuration that says where a command works, without a password, such as
// "shop 127.0.0.1:33306/shop"; "" when it is not set. Package envconfig has them.
type placer interface{ Place() string }

// places finds what the configuration inside a command's struct says.
func places(v reflect.Value) []string {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	var found []string
	for i := range v.NumField() {
		found = append(found, places(v.Field(i))...)
	}
	if len(found) > 0 || !v.CanInterface() { // an embedded field's method would hide the others'
		return found
	}
	if p, ok := v.Interface().(placer); ok && p.Place() != "" {
		return []string{p.Place()}
	}
	return nil
}

// OnLocalStack says whether the AWS calls of this process go to this machine.
func OnLocalStack() bool {
	u, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost.localstack.cloud") ||
		ip != nil && ip.IsLoopback()
}

// target is the struct of the command that runs.
func target(parsed *kong.Context) reflect.Value {
	if selected := parsed.Selected(); selected != nil {
		return selected.Target
	}
	return parsed.Model.Target
}
