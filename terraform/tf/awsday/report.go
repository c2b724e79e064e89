package awsday

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Status is what became of a question.
type Status string

// What can become of a question. NeedsAWS: it was asked of an emulator, which cannot tell.
const (
	Passed     Status = "passed"
	Failed     Status = "failed"
	NotReached Status = "not reached"
	NeedsAWS   Status = "needs AWS"
)

// Answer is a row, and what was seen.
type Answer struct {
	Row
	Status Status `json:"status"`
	Seen   string `json:"seen"`
}

// Report is what a day has found out.
type Report struct {
	Environment string    `json:"environment"`
	Account     string    `json:"account"`
	Region      string    `json:"region"`
	Commit      string    `json:"commit"`   // the image's tag begins with it
	Emulator    bool      `json:"emulator"` // it says nothing about AWS
	Budget      float64   `json:"budget_usd"`
	Hourly      float64   `json:"hourly_usd"` // estimated
	Limit       string    `json:"limit"`      // of time
	Began       time.Time `json:"began"`
	Ended       time.Time `json:"ended,omitzero"`      // zero: the day is running, or was killed
	Stopped     string    `json:"stopped,omitempty"`   // why the questions ended early
	Promotion   string    `json:"promotion,omitempty"` // why it failed
	Left        []string  `json:"left,omitempty"`      // what the destroy left
	Answers     []Answer  `json:"answers"`
}

// Markdown is the report as a page.
func (r Report) Markdown() string {
	var b strings.Builder
	where := "account " + r.Account
	if r.Emulator {
		where = "an emulator of AWS, which says nothing about AWS itself"
	}
	fmt.Fprintf(&b, "# The day with an account: %s\n\n", r.Began.Format("2006-01-02"))
	fmt.Fprintf(&b, "Environment %s in %s, %s, commit %s. Began %s.\n", r.Environment, where, r.Region, r.Commit,
		r.Began.Format(time.RFC3339))
	switch {
	case r.Ended.IsZero():
		b.WriteString("\n**The day has not ended.** If it runs no more, what it made costs money.\n")
	default:
		took := r.Ended.Sub(r.Began)
		fmt.Fprintf(&b, "Took %v; about %.2f USD by the hour, of a budget of %.2f.\n", took.Round(time.Minute),
			r.Hourly*took.Hours(), r.Budget)
	}
	for _, line := range []struct{ name, text string }{{"Ended early", r.Stopped}, {"The promotion failed", r.Promotion},
		{"Left, and costs money", strings.Join(r.Left, ", ")}} {
		if line.text != "" {
			fmt.Fprintf(&b, "\n**%s:** %s\n", line.name, cell(line.text))
		}
	}
	b.WriteString("\n| row | question | we expect | seen | result |\n|---|---|---|---|---|\n")
	for _, a := range r.Answers {
		fmt.Fprintf(&b, "| `%s` | %s (%s) | %s | %s | %s |\n", a.ID, cell(a.Question), a.Source, cell(a.Expect), cell(a.Seen),
			a.Status)
	}
	return b.String()
}

// mostCell bounds what a table shows of an error; the JSON file has all of it.
const mostCell = 400

func cell(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
	if runes := []rune(text); len(runes) > mostCell {
		text = string(runes[:mostCell]) + "…"
	}
	return text
}

// Write writes the report to FOLDER/NAME.json and NAME.md. A reader sees the old files or the new ones.
func (r Report) Write(folder, name string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	for ending, content := range map[string][]byte{".json": append(text, '\n'), ".md": []byte(r.Markdown())} {
		file := filepath.Join(folder, name+ending)
		if err := os.WriteFile(file+".part", content, 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		if err := os.Rename(file+".part", file); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}
