package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"kindred/benchmarks/serenade"
	"kindred/benchmarks/servelog"
	"kindred/internal/job/train"
	"kindred/internal/model/nextitem"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity"
)

// build compiles the programs as they ship.
func build(ctx context.Context) (folder string, remove func(), err error) {
	remove = func() { _ = os.RemoveAll(folder) } // only our own programs
	if folder, err = os.MkdirTemp("", "bench-sessions-programs-"); err != nil {
		return folder, remove, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", folder+"/", "./jobs/train", "./jobs/publish", "./lambdas/serve")
	cmd.Env = append(os.Environ(), "GOEXPERIMENT=simd")
	if said, err := cmd.CombinedOutput(); err != nil {
		return folder, remove, fmt.Errorf("build programs: %w: %s", err, said)
	}
	return folder, remove, nil
}

// kindred is the programs with a folder of their files. train.txt in it is what they learn from.
type kindred struct {
	programs, folder    string
	largestDim, threads int
	version             train.Result // that measure made
}

// question is an activity event that asks for as many products as are judged.
type question struct {
	Session string            `json:"session_id"`
	History []activity.Browse `json:"browse_history"`
	Control map[string]int    `json:"kindred"`
}

func newQuestion(session string) question {
	return question{session, []activity.Browse{}, map[string]int{"limit": nextitem.Cut}}
}

// measure makes a version, publishes it into a database of its own, starts serve, and asks it after every click with
// all clicks so far.
func (k *kindred) measure(ctx context.Context, server string, test *nextitem.Log) (answers []nextitem.Answer,
	lists [][]int32, err error) {
	dsn, drop, err := vectorstoretest.Database(ctx, server)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	env := []string{"PGVECTOR_DSN=" + dsn, "ARTIFACTS_BUCKET=file://" + filepath.Join(k.folder, "artifacts")}
	printed, err := k.run(ctx, env, "train", "sessions", "--json", "--clicks", filepath.Join(k.folder, "train.txt"),
		"--largest-dim", strconv.Itoa(k.largestDim), "--threads", strconv.Itoa(k.threads))
	if err != nil {
		return nil, nil, err
	}
	if _, err := program.ReadResult(printed, &k.version); err != nil {
		return nil, nil, err
	}
	for _, args := range [][]string{{"migrate"}, {}} {
		if _, err := k.run(ctx, env, "publish", args...); err != nil {
			return nil, nil, err
		}
	}
	address, stop, err := k.serve(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	defer stop()
	asked, event := -1, question{}
	return nextitem.MeasureLists(test, func(session int, click int32) ([]int32, error) {
		if session != asked {
			asked, event = session, newQuestion(fmt.Sprint("s", session))
		}
		event.History = append(event.History, activity.Browse{Quantity: 1,
			ProductCode: activity.ID(strconv.Itoa(serenade.Number(test, click)))})
		return ask(ctx, address, event)
	})
}

// run runs a program to its end, and returns what it printed.
func (k *kindred) run(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(k.programs, name), args...)
	var problems bytes.Buffer
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), &problems
	printed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %.2000s", name, err, &problems)
	}
	return printed, nil
}

// serve starts the server, and waits until it answers from memory: until then an index of the database answers for
// large catalogues, which misses some products.
func (k *kindred) serve(ctx context.Context, env []string) (address string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", nil, err
	}
	running, cancel := context.WithCancel(ctx)
	server := exec.CommandContext(running, filepath.Join(k.programs, "serve"), "--listen", address)
	log := &servelog.Log{}
	server.Env, server.Stderr = env, log
	if err := server.Start(); err != nil {
		cancel()
		return "", nil, fmt.Errorf("start serve: %w", err)
	}
	stop = func() {
		cancel()
		_ = server.Wait() // it was killed
	}
	for deadline := time.Now().Add(startLimit); ; time.Sleep(10 * time.Millisecond) {
		if _, err = ask(ctx, address, newQuestion("ready")); err == nil && log.Chosen() {
			return address, stop, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			stop()
			return "", nil, errors.Join(fmt.Errorf("serve has not come into memory: %.2000s", &log.Text), err)
		}
	}
}

// startLimit is how long serve may take to load the version.
const startLimit = time.Minute

// ask returns the indexes of the products of an answer.
func ask(ctx context.Context, address string, event question) (list []int32, err error) {
	body, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/recommendations",
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %.500s", response.Status, body)
	}
	var answer struct {
		Items []activity.RecommendedItem `json:"recommended_items"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	for _, item := range answer.Items {
		id, err := strconv.Atoi(item.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, int32(id-1))
	}
	return list, nil
}

// same is the share of the places of served lists that have the product which the ranker in this process has there, or
// one of the same score.
func (k *kindred) same(ctx context.Context, test *nextitem.Log, served [][]int32) (float64, error) {
	clicks, err := train.ReadClicks(filepath.Join(k.folder, "train.txt"))
	if err != nil {
		return 0, err
	}
	all, numbered := train.Teaching(clicks), &nextitem.Log{Sessions: test.Sessions}
	for i := range test.Items {
		numbered.Items = append(numbered.Items, strconv.Itoa(serenade.Number(test, int32(i))))
	}
	used := k.version.Config.Clicks
	blend, err := train.FitClicks(ctx, all, used.Options, used.Seed, k.threads, func(string, int64, int64) {})
	if err != nil {
		return 0, err
	}
	index := make(map[string]int32, len(all.Items))
	for i, id := range all.Items {
		index[id] = int32(i)
	}
	places, equal, scores := 0, 0, make([]float32, len(all.Items))
	for _, session := range numbered.On(all).Sessions {
		for p := 1; p < len(session.Items); p++ {
			blend.Rank([][]int32{session.Items[:p]}, scores)
			best := slices.SortedFunc(slices.Values(scores), func(a, b float32) int { return cmp.Compare(b, a) })
			for place, item := range served[0] {
				places++
				score := scores[index[numbered.Items[item]]]
				if math.Abs(float64(score-best[place])) <= rounding*(1+math.Abs(float64(score))) {
					equal++
				}
			}
			served = served[1:]
		}
	}
	return float64(equal) / float64(max(places, 1)), nil
}

// rounding is how far equal scores may lie apart: their sums have another order.
const rounding = 1e-4
