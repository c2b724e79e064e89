// Package vectorstoretest helps to test and to measure the vector database: databases of one's own,
// and made-up model versions as large as wanted. It is for tests and benchmarks only.
package vectorstoretest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	random "math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
)

// Database makes an empty database with the vector extension on the server of dsn, and returns its
// address and what drops it.
func Database(ctx context.Context, dsn string) (address string, drop func() error, err error) {
	name := "kindred_" + strings.ToLower(rand.Text()[:12])
	u, err := url.Parse(dsn)
	if err != nil {
		return "", nil, errors.New("the PostgreSQL address is no URL") // the error would hold the password
	}
	u.Path = "/" + name
	if err := exec(ctx, dsn, `CREATE DATABASE `+name); err != nil {
		return "", nil, err
	}
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return exec(ctx, dsn, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
	}
	if err := exec(ctx, u.String(), `CREATE EXTENSION vector`); err != nil {
		return "", nil, errors.Join(err, drop())
	}
	return u.String(), drop, nil
}

func exec(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // nothing is lost by it
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// Shape is how large a made-up version is.
type Shape struct{ Items, Customers, RatedEach, Dim int }

// clusters is how many kinds of products a made-up shop has.
const clusters = 200

// Version makes a version like one of a trained model: products lie in clusters, popular ones have
// longer vectors, customers lie between a few clusters, a tenth of the products is out of stock.
// The same arguments give the same version.
func Version(id string, seed uint64, shape Shape) *modelversion.Version {
	rng := random.New(random.NewPCG(seed, 1))
	gauss := func(scale float64) []float32 {
		v := make([]float32, shape.Dim)
		for i := range v {
			v[i] = float32(scale * rng.NormFloat64())
		}
		return v
	}
	var centres [clusters][]float32
	for i := range centres {
		centres[i] = gauss(1)
	}
	v := &modelversion.Version{ID: id, TrainingRun: "made up", TrainerVersion: "made up",
		TrainedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Solver: modelversion.Solver{Dim: shape.Dim, Alpha0: 0.1, Lambda: 0.02, Nu: 1, ViewWeight: 1, CartWeight: 4,
			Items: shape.Items},
		Encoder: modelversion.Encoder{Bias: gauss(0.1), Weights: map[string][]float32{}},
		Report:  modelversion.Report{Verdict: modelversion.Verdict{Pass: true}},
	}
	for i := range shape.Items {
		vector, length := gauss(0.7), float32(0.3+0.3*math.Abs(rng.NormFloat64()))/float32(math.Sqrt(float64(shape.Dim)))
		for n, x := range centres[rng.IntN(clusters)] {
			vector[n] = (vector[n] + x) * length
		}
		stock := int16(rng.IntN(100))
		if rng.IntN(10) == 0 {
			stock = 0
		}
		v.Items = append(v.Items, modelversion.Item{Code: fmt.Sprintf("S%07d", i), Name: fmt.Sprintf("Product %d", i),
			Line:   "Line",
			Origin: modelversion.OriginTrained, QuantityInStock: stock, Positives: int32(float32(shape.Items) * length),
			Vector: vector})
	}
	for n := range shape.Customers {
		vector := gauss(0.3)
		for range 3 {
			for i, x := range centres[rng.IntN(clusters)] {
				vector[i] += x / 3
			}
		}
		c := modelversion.Customer{ID: strconv.Itoa(1 + n), Origin: modelversion.OriginTrained, Vector: vector}
		for i, at := 0, 0; i < shape.RatedEach && at < shape.Items; i++ {
			c.Rated = append(c.Rated, v.Items[at].Code)
			at += 1 + rng.IntN(2*max(1, shape.Items/(shape.RatedEach+1)))
		}
		v.Customers = append(v.Customers, c)
	}
	v.Solver.Gram = gram(v.Items, shape.Dim)
	return v
}

func gram(items []modelversion.Item, dim int) []float32 {
	sum := make([]float64, dim*dim)
	for _, item := range items {
		for i, a := range item.Vector {
			row := sum[i*dim : (i+1)*dim]
			for j, b := range item.Vector {
				row[j] += float64(a) * float64(b)
			}
		}
	}
	out := make([]float32, len(sum))
	for i, x := range sum {
		out[i] = float32(x)
	}
	return out
}
