// Package actor says on whose behalf a program runs, for histories that people read. It proves
// nothing: who may do what is decided by the database and by AWS.
package actor

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// askTime bounds the question to ECS's metadata service, which is on the same machine.
const askTime = 2 * time.Second

// Name is the task's role, or else its family, on ECS; elsewhere the name of this machine's user, or
// its number where it has no name. It is never empty.
func Name() string {
	if name := onECS(os.Getenv("ECS_CONTAINER_METADATA_URI_V4")); name != "" {
		return name
	}
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

// onECS asks ECS's metadata service and credentials for who the task is; "" elsewhere. See
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html.
func onECS(metadata string) string {
	if metadata == "" {
		return ""
	}
	var credentials struct{ RoleArn string }
	if path := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		ask("http://169.254.170.2"+path, &credentials)
		if _, role, found := strings.Cut(credentials.RoleArn, ":role/"); found {
			return "role " + role
		}
	}
	var task struct{ Family string }
	ask(metadata+"/task", &task)
	if task.Family == "" {
		return ""
	}
	return "task " + task.Family
}

// ask decodes an answer into v and leaves v as it is when there is none.
func ask(url string, v any) {
	ctx, stop := context.WithTimeout(context.Background(), askTime)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil) //nolint:gosec // AWS sets the address
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request) //nolint:gosec // as above
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	_ = json.NewDecoder(response.Body).Decode(v) // an answer that cannot be read is none
}
