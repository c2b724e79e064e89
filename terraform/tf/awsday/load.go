package awsday

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"kindred/terraform/tf/promotion"
)

// load sends events that name products of the shop, and lets verify account for each.
func (e *Environment) load(ctx context.Context, o promotion.Outputs) (string, error) {
	products, err := e.products(ctx, o)
	if err != nil {
		return "", err
	}
	began := time.Now()
	file := filepath.Join(e.Work, "events.jsonl")
	if err := e.writeEvents(file, products, began); err != nil {
		return "", err
	}
	if _, err := e.exec(ctx, o, "replay", "file", file, "--rate", strconv.Itoa(e.Rate), "--json"); err != nil {
		return "", err
	}
	sent := time.Since(began)
	out, err := e.exec(ctx, o, "verify", "--since", began.Add(-time.Second).UTC().Format(time.RFC3339), "--wait", "15m",
		"--json")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d events in %v; %s", e.Events, sent.Round(time.Second), cell(string(out))), nil
}

// products are those that serve calls popular.
func (e *Environment) products(ctx context.Context, o promotion.Outputs) ([]string, error) {
	text, _, err := e.Promotion.Call(ctx, o, o.Functions.Serve.Name, getting("/lists/popular", "limit=50"))
	if err != nil {
		return nil, err
	}
	var answer struct {
		StatusCode int
		Body       string
	}
	var list struct {
		Items []struct{ ID string } `json:"recommended_items"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask serve for popular products: status %d: %s", answer.StatusCode, cell(answer.Body))
	}
	if err := json.Unmarshal([]byte(answer.Body), &list); err != nil || len(list.Items) == 0 {
		return nil, fmt.Errorf("ask serve for popular products: no product in %s", cell(answer.Body))
	}
	var products []string
	for _, item := range list.Items {
		products = append(products, item.ID)
	}
	return products, nil
}

// perSession is how many events a session has.
const perSession = 5

// writeEvents writes activity events, one a line: sessions that look at one product after the other.
func (e *Environment) writeEvents(file string, products []string, at time.Time) (err error) {
	if err := os.MkdirAll(e.Work, 0o755); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	for i := range e.Events {
		session := fmt.Sprintf("aws-day-%d-%d", at.Unix(), i/perSession)
		history := []map[string]any{}
		for n := range i%perSession + 1 {
			history = append(history, map[string]any{"product_code": products[(i/perSession+n)%len(products)], "quantity": 1})
		}
		event := map[string]any{"session_id": session, "event_id": fmt.Sprintf("%s-%d", session, i%perSession),
			"occurred_at": at.UTC().Format(time.RFC3339), "customer_number": session, "browse_history": history}
		if e.Shop != "" {
			event["shop"] = e.Shop
		}
		if err := encoder.Encode(event); err != nil {
			_ = f.Close()
			return fmt.Errorf("write events: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		_ = f.Close()
		return fmt.Errorf("write events: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// exec runs a program of this repository with the environment's variables, without the lake: the day erases nobody.
func (e *Environment) exec(ctx context.Context, o promotion.Outputs, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, e.program(name), args...)
	cmd.Env = os.Environ()
	for variable, value := range o.Environment {
		if variable != "LAKE_BUCKET" {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	out, err := cmd.Output()
	if err != nil {
		reason := err.Error()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			reason += ": " + string(failed.Stderr)
		}
		return nil, fmt.Errorf("%s: %s", name, reason)
	}
	return out, nil
}
