package connect

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// nightly are the programs that a night runs, in order.
var nightly = []string{"etl", "train", "publish"}

// schedule writes what a nightly run needs: the variables, and a service with its timer for systemd.
func (r *run) schedule() error {
	variables := map[string]string{"ETL_MAPPING": absolute(r.result.Mapping)}
	for _, line := range r.environment() {
		if name, value, _ := strings.Cut(line, "="); value != "" {
			variables[name] = value
		}
	}
	names := []string{"AWS_REGION", "TRAIN_REPEAT"}
	if program.OnLocalStack() { // the local stack's keys are no secret; AWS's own belong where the AWS SDK keeps them
		names = append(names, "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
	}
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			variables[name] = value
		}
	}
	text, err := envconfig.FormatFile(variables)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"env", string(text), 0o600}, // it holds passwords
		{r.unit() + ".service", r.service(), 0o644},
		{r.unit() + ".timer", r.timer(), 0o644},
	} {
		if err := write(filepath.Join(r.folder(), f.name), f.text, f.mode); err != nil {
			return fmt.Errorf("write the nightly run: %w", err)
		}
	}
	return nil
}

func (r *run) unit() string { return "kindred-" + r.Name }

func (r *run) service() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=Recommendations of the shop %s\nAfter=network-online.target\n\n", r.Name)
	fmt.Fprintf(&b, "[Service]\nType=oneshot\nEnvironmentFile=%s\n", absolute(filepath.Join(r.folder(), "env")))
	for _, name := range nightly {
		fmt.Fprintf(&b, "ExecStart=%s\n", filepath.Join(r.programs, name))
	}
	return b.String()
}

func (r *run) timer() string {
	return fmt.Sprintf("[Unit]\nDescription=Every night: recommendations of the shop %s\n\n[Timer]\n"+
		"OnCalendar=*-*-* 03:15\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n", r.Name)
}

// next says what a person may do now.
func (r *run) next() string {
	folder := absolute(r.folder())
	var b strings.Builder
	serve := "make serve"
	if r.result.Beside != "" {
		serve += " SHOP_NAME=" + r.Name // localstack exec reads the shop's variables then
	}
	b.WriteString("Next:\n  Ask for recommendations:  " + serve + "\n")
	for _, s := range r.result.Samples {
		if s.Customer != "" {
			fmt.Fprintf(&b, "                            curl 127.0.0.1:8080/customers/%s/recommendations\n",
				url.PathEscape(s.Customer))
			break
		}
	}
	fmt.Fprintf(&b, "  Every night, by systemd:  cp %s/%s.* /etc/systemd/system/ && systemctl enable --now %s.timer\n",
		folder, r.unit(), r.unit())
	fmt.Fprintf(&b, "  or by cron:               15 3 * * * set -a; . %s/env; %s\n", folder, r.chain())
	fmt.Fprintf(&b, "  Stock and prices by cron: */5 * * * * set -a; . %s/env; %s catalogue\n", folder,
		filepath.Join(r.programs, "publish"))
	if program.OnLocalStack() && (!isFolder(r.Lake.Bucket) || !isFolder(r.Artifacts.Bucket)) {
		b.WriteString("LocalStack forgets its buckets when it stops. To keep the data all the same, run connect with\n" +
			"LAKE_BUCKET=file:///a/folder and ARTIFACTS_BUCKET=file:///another.\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func isFolder(location string) bool { return strings.HasPrefix(location, "file://") }

// chain is a shell's line that runs a night.
func (r *run) chain() string {
	all := make([]string, len(nightly))
	for i, name := range nightly {
		all[i] = filepath.Join(r.programs, name)
	}
	return strings.Join(all, " && ")
}

func absolute(path string) string {
	if all, err := filepath.Abs(path); err == nil {
		return all
	}
	return path
}
