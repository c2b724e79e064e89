package vectorstore

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
)

func TestUnreachableDatabaseIsFoundLate(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close() // nobody listens here now
	store, err := Open(t.Context(), envconfig.PGVector{DSN: "postgres://kindred:s3cret@" + address +
		"/kindred?sslmode=disable"})
	if err != nil {
		t.Fatalf("open is to make no request: %v", err)
	}
	defer store.Close()
	_, err = store.Traffic(t.Context())
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) || errors.Is(err, ErrNoLiveVersion) {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the password is in %q", err)
	}
}

func TestOpenKeepsWhatTheDSNSays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dsn     string
		conns   int32
		timeout time.Duration
	}{
		"defaults": {"postgres://u@127.0.0.1:1/d", defaultMaxConns, defaultConnectTimeout},
		"own":      {"postgres://u@127.0.0.1:1/d?pool_max_conns=9&connect_timeout=3", 9, 3 * time.Second},
	}
	for name, test := range tests {
		store, err := Open(t.Context(), envconfig.PGVector{DSN: test.dsn})
		if err != nil {
			t.Fatal(err)
		}
		cfg := store.pool.Config()
		store.Close()
		// the limit's own sentence comes first
		if cfg.MaxConns != test.conns || cfg.ConnConfig.ConnectTimeout != test.timeout+time.Second {
			t.Errorf("%s: %d connections, %v", name, cfg.MaxConns, cfg.ConnConfig.ConnectTimeout)
		}
	}
	for _, dsn := range []string{"", "postgres://u:s3cret@127.0.0.1:port/d", "postgres://u:s3cret/x@127.0.0.1/d",
		"postgres://u:%s3cret@127.0.0.1/d",
		"host=127.0.0.1 password=x s3cret"} {
		if _, err := Open(t.Context(), envconfig.PGVector{DSN: dsn}); err == nil || strings.Contains(err.Error(), "s3") ||
			!strings.Contains(err.Error(), "PGVECTOR_DSN") {
			t.Errorf("open %q: %v", dsn, err)
		}
	}
}

func TestSchemaOf(t *testing.T) {
	t.Parallel()
	if got, err := schemaOf("m0123456789abcde"); err != nil || got != "model_m0123456789abcde" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, version := range []string{"", "1m", "M1", "m-1", `m"`, "m 1", "m;", "mé", "m" + strings.Repeat("0", 40)} {
		if _, err := schemaOf(version); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q was taken: %v", version, err)
		}
	}
}

func TestSearchSQLRefusesWhatTheDatabaseWould(t *testing.T) {
	t.Parallel()
	m := &model{Model: recommend.Model{Solver: modelversion.Solver{Dim: 2}}, schema: "model_m1"}
	for name, s := range map[string]recommend.Search{
		"no limit":        {Vector: []float32{1, 2}},
		"wrong dimension": {Vector: []float32{1}, Limit: 1},
		"empty vector":    {Vector: []float32{}, Limit: 1},
		"not a number":    {Vector: []float32{1, float32(math.NaN())}, Limit: 1},
	} {
		if sql, _, err := m.searchSQL(s, byScan); err == nil {
			t.Errorf("%s: %s", name, sql)
		}
	}
	_, args, err := m.searchSQL(recommend.Search{Limit: 1}, byScan)
	if exclude, ok := args[0].([]string); err != nil || !ok || exclude == nil {
		t.Errorf("nothing excluded is bound as %#v: NULL would exclude everything", args[0])
	}
}

func TestFloatsSurviveTheRegistry(t *testing.T) {
	t.Parallel()
	want := []float32{0, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32}
	got, err := decodeFloats(encodeFloats(want), len(want))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := decodeFloats(make([]byte, 15), 4); !errors.Is(err, ErrInvalid) {
		t.Errorf("15 bytes for 4 numbers: %v", err)
	}
}
