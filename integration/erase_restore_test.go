package integration

import (
	"net/url"
	"path"
	"testing"
)

// mustBackUp copies a vector database as it is, into another one. Nobody can use the database meanwhile.
func (s Stack) mustBackUp(t *testing.T, dsn string) (copied string) {
	t.Helper()
	from, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	source, to := path.Base(from.Path), "kindred_"+randomName()
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, s.PGVectorDSN, `DROP DATABASE IF EXISTS "`+to+`" WITH (FORCE)`)
	})
	for _, statement := range []string{`ALTER DATABASE "` + source + `" ALLOW_CONNECTIONS false`,
		`SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '` + source + `'`,
		`CREATE DATABASE "` + to + `" TEMPLATE "` + source + `"`,
		`ALTER DATABASE "` + source + `" ALLOW_CONNECTIONS true`} {
		execPostgres(t, t.Context(), s.PGVectorDSN, statement)
	}
	from.Path = "/" + to
	return from.String()
}

// wantRestoredErased looks at a vector database of before the erasing, as a backup restores it. It has the persons,
// until erase is run again: it knows them by its list.
func (e *erasedShop) wantRestoredErased(yesterday string, persons map[string]bool) {
	e.t.Helper()
	if code, _ := e.programs.run(e.t, nil, "erase", "--verify", "--pgvector-dsn", yesterday); code == 0 {
		e.t.Error("erase --verify finds nobody in a database of before the erasing")
	}
	e.programs.mustRun(e.t, nil, "erase", "--pgvector-dsn", yesterday)
	e.programs.mustRun(e.t, nil, "erase", "--verify", "--pgvector-dsn", yesterday)
	now := e.dsn
	e.dsn = yesterday
	e.wantNobody(persons)
	e.dsn = now
}
