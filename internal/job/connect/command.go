// Package connect is the logic of the connect job: it brings a shop live in one command. It
// recognises the shop's system, writes a mapping file for a person to edit, runs etl check, etl,
// train and publish, and shows what a few customers would see. It owns their order and what it
// prints about them. What a system's tables mean belongs to package preset.
package connect

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kindred/internal/job/etl"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsecret"
	"kindred/internal/shop/preset"
)

// Description is the first line of the command's help.
const Description = "Bring a shop live in one command: recognise its system, write a mapping file, " +
	"and run etl, train and publish."

// Command is the command line.
type Command struct {
	MySQL       envconfig.MySQL     `embed:""`
	MySQLSecret string              `name:"mysql-secret" env:"MYSQL_SECRET_ARN" placeholder:"ARN" help:"Secrets Manager secret: either {username, password} to add to --mysql-dsn, or a complete DSN."`
	PGVector    envconfig.PGVector  `embed:""`
	Lake        envconfig.Lake      `embed:""`
	Artifacts   envconfig.Artifacts `embed:""`
	Preset      etl.Preset          `embed:""`
	Shop        envconfig.Shop      `embed:""`
	Mapping     string              `placeholder:"FILE" type:"path" help:"Mapping file. connect writes the file if it does not exist, and otherwise uses it unchanged. Default: shops/<name>/mapping.sql in the state folder."`
	Renew       bool                `help:"Write the mapping file again, even if it exists."`
	State       string              `default:".kindred" type:"path" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. connect writes its files to the subfolder shops/<name>."`
	DryRun      bool                `help:"Recognise the shop, write the mapping file, check it against the shop, and stop."`
}

// Result is what a run achieved.
type Result struct {
	Shop         preset.Found        `json:"shop"`
	Description  *preset.Description `json:"description,omitempty"` // absent where the mapping file was there already
	Mapping      string              `json:"mapping"`               // file
	Check        CheckResult         `json:"check"`
	TrainingRun  string              `json:"training_run,omitempty"`
	Unknown      *Unknown            `json:"unknown,omitempty"` // absent for a shop of ratings
	ModelVersion string              `json:"model_version,omitempty"`
	Report       modelversion.Report `json:"report,omitzero"`
	Live         bool                `json:"live"`
	Samples      []Sample            `json:"samples,omitempty"`
	Beside       string              `json:"beside,omitempty"` // another shop in the given places: this one has its own
	Steps        []Step              `json:"steps"`
}

// Step is one program that ran.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	NoOp    bool    `json:"no_op"`
}

// Run brings the shop live. Every step can be run again: what is done already is not done twice.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	if err := c.Shop.Check(); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the programs: %w", err)
	}
	r := run{Command: c, programs: filepath.Dir(executable), progress: out.Stderr, account: out.Stdout}
	if out.JSON { // the account goes where it does not disturb
		r.account = out.Stderr
	}
	if r.dsn, err = mysqlsecret.DSN(ctx, c.MySQL.DSN, c.MySQLSecret); err != nil {
		return err
	}
	if err := r.all(ctx); err != nil {
		return err
	}
	return out.Result(r.sentence(), r.result)
}

// run is one run of the command.
type run struct {
	*Command
	Name     string // of the shop
	database string
	dsn      string
	programs string // folder of etl, train and publish
	account  io.Writer
	progress io.Writer // of the programs
	result   Result
}

func (r *run) all(ctx context.Context) error {
	if err := r.recognise(ctx); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil || r.DryRun {
		return err
	}
	var extracted struct {
		RunID   string             `json:"run_id"`
		History *etl.HistoryCounts `json:"interactions"`
	}
	if err := r.step(ctx, "etl", &extracted, "--mapping", r.result.Mapping); err != nil {
		return err
	}
	r.result.TrainingRun = extracted.RunID
	if extracted.History != nil {
		r.result.Unknown = newUnknown(*extracted.History)
		r.say("%s", r.result.Unknown.text())
	}
	var train struct {
		ModelVersion string              `json:"model_version"`
		Report       modelversion.Report `json:"report"`
	}
	if err := r.step(ctx, "train", &train); err != nil {
		return err
	}
	r.result.ModelVersion, r.result.Report = train.ModelVersion, train.Report
	if text := tooFew(train.Report); text != "" {
		r.say("  %s", text)
	}
	for _, reason := range train.Report.Verdict.Reasons {
		r.say("  %s", reason)
	}
	if err := r.step(ctx, "publish", nil); err != nil {
		return err
	}
	r.result.Live = true
	if err := r.sample(ctx); err != nil {
		return err
	}
	return r.schedule()
}

func (r *run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.account, format+"\n", args...) // a person's screen; the result follows
}

// sentence says what is live and what comes next.
func (r *run) sentence() string {
	var b strings.Builder
	if r.DryRun {
		fmt.Fprintf(&b, "Nothing was extracted. Edit %s if the mapping is not what you mean, and run connect again.",
			r.result.Mapping)
		return b.String()
	}
	for _, s := range r.result.Samples {
		b.WriteString(s.text())
	}
	seconds := 0.0
	for _, s := range r.result.Steps {
		seconds += s.Seconds
	}
	fmt.Fprintf(&b, "Model version %s is live, %s after the start.\n", r.result.ModelVersion,
		time.Duration(seconds*float64(time.Second)).Round(time.Second))
	if r.result.Report.Verdict.Popularity {
		b.WriteString("No model has passed the gate, so this version answers by popularity. Each night trains again, and " +
			"the\n" +
			"first model that the gate does not refuse takes its place.\n")
	}
	b.WriteString(r.next())
	return b.String()
}
