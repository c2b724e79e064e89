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

// schedule writes what regular runs need: the variables, and services with their timers for systemd.
func (r *run) schedule() error {
	variables := map[string]string{"ETL_MAPPING": absolute(r.result.Mapping)}
	for _, line := range r.environment() {
		if name, value, _ := strings.Cut(line, "="); value != "" {
			variables[name] = value
		}
	}
	names := []string{"AWS_REGION", "TRAIN_REPEAT", "RECOMMENDATIONS_BUCKET", "DUCKDB"}
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
		{r.unit() + ".service", r.service("Recommendations", nightly...), 0o644},
		{r.unit() + ".timer", r.timer("Every night: recommendations", "*-*-* 03:15"), 0o644},
		{r.unit() + "-catalogue.service", r.service("Stock and prices", "publish catalogue"), 0o644},
		{r.unit() + "-catalogue.timer", r.timer("Every five minutes: stock and prices", "*:0/5"), 0o644},
	} {
		if err := write(filepath.Join(r.folder(), f.name), f.text, f.mode); err != nil {
			return fmt.Errorf("write the nightly run: %w", err)
		}
	}
	return nil
}

func (r *run) unit() string { return "kindred-" + r.Name }

// service runs commands one after the other.
func (r *run) service(what string, commands ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s of the shop %s\nAfter=network-online.target\n\n", what, r.Name)
	fmt.Fprintf(&b, "[Service]\nType=oneshot\nEnvironmentFile=%s\n", absolute(filepath.Join(r.folder(), "env")))
	for _, name := range commands {
		fmt.Fprintf(&b, "ExecStart=%s\n", filepath.Join(r.programs, name))
	}
	return b.String()
}

func (r *run) timer(what, at string) string {
	return fmt.Sprintf("[Unit]\nDescription=%s of the shop %s\n\n[Timer]\nOnCalendar=%s\nPersistent=true\n\n"+
		"[Install]\nWantedBy=timers.target\n", what, r.Name, at)
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
	fmt.Fprintf(&b, "  Regularly, by systemd:    cp %s/%s[.-]* /etc/systemd/system/ && "+
		"systemctl enable --now %s.timer %s-catalogue.timer\n", folder, r.unit(), r.unit(), r.unit())
	fmt.Fprintf(&b, "  Every night by cron:      15 3 * * * set -a; . %s/env; %s\n", folder, r.chain())
	fmt.Fprintf(&b, "  Stock and prices by cron: */5 * * * * set -a; . %s/env; %s catalogue\n", folder,
		filepath.Join(r.programs, "publish"))
	if os.Getenv("RECOMMENDATIONS_BUCKET") != "" {
		fmt.Fprintf(&b, "  An experiment by cron:    45 4 * * * set -a; . %s/env; %s && %s experiment decide\n", folder,
			filepath.Join(r.programs, "feedback"), filepath.Join(r.programs, "publish"))
	}
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
