package feedback

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"kindred/internal/lake/interaction"
	"kindred/internal/lake/outcome"
)

// What lies in the scratch folder, which is DuckDB's working directory.
const (
	recordsFile = "records-%05d.json"
	ratesFile   = "hit_rates.json"
	rowsFile    = "rows.json"
	revenueFile = "revenue.json"
	outcomeFile = "outcomes/" + outcome.File        // a folder of its own: what is in dir belongs to the interactions
	clickFile   = "clicks/" + interaction.ClickFile // likewise
)

// table makes of the records what Glue's table `recommendations` is on AWS (terraform/modules/etl),
// and gives DuckDB Trino's names of two functions. It reads what package feedback's record wrote. An
// event has 968 KiB at most (activity.MaxEventBytes), its answer some more.
const table = `
CREATE MACRO sequence(first, last) AS generate_series(first, last);
CREATE MACRO cardinality(list) AS len(list);
CREATE VIEW recommendations AS SELECT * FROM read_json('records-*.json', format = 'newline_delimited', maximum_object_size = 2097152, columns = {
    session_id: 'VARCHAR',
    customer_number: 'VARCHAR',
    type: 'VARCHAR',
    kind: 'VARCHAR',
    product_code: 'VARCHAR',
    recommendation_id: 'VARCHAR',
    quantity: 'VARCHAR',
    value: 'VARCHAR',
    price: 'VARCHAR',
    browse_history: 'STRUCT(product_code VARCHAR, quantity VARCHAR, in_shopping_cart BOOLEAN, purchased BOOLEAN)[]',
    recommended_items: 'STRUCT(id VARCHAR, score DOUBLE, because VARCHAR)[]',
    recommendation: 'STRUCT(id VARCHAR, event_id VARCHAR, shop VARCHAR, model_version VARCHAR, source VARCHAR, placement VARCHAR, experiment VARCHAR, arm VARCHAR, generated_at VARCHAR, latency_ms DOUBLE,
                            "position" STRUCT(stream VARCHAR, shard VARCHAR, sequence_number VARCHAR, partition_key VARCHAR, arrived_at VARCHAR))'
});
`

// results writes what the views say, in an order that makes the same records the same bytes.
const results = `
COPY (SELECT * FROM feedback_interaction ORDER BY customer_number, product_code, occurred_at, session_id) TO 'interactions.parquet' (FORMAT parquet);
COPY (SELECT session_id, customer_number, product_code, occurred_at FROM feedback_click ORDER BY session_id, occurred_at, recommendation_id, place) TO 'clicks/clicks.parquet' (FORMAT parquet);
COPY (SELECT count(*) AS interactions, (SELECT count(*) FROM 'clicks/clicks.parquet') AS clicks FROM 'interactions.parquet') TO 'rows.json' (FORMAT json, ARRAY true);
COPY (SELECT * FROM feedback_outcome ORDER BY experiment, part) TO 'outcomes/outcomes.json' (FORMAT json, ARRAY true);
COPY (SELECT * FROM feedback_revenue ORDER BY experiment, part, cap) TO 'revenue.json' (FORMAT json, ARRAY true);
COPY (SELECT * FROM feedback_hit_rate ORDER BY model_version, source, placement, place) TO 'hit_rates.json' (FORMAT json, ARRAY true);
`

// ErrNoDuckDB says that DuckDB's program is not there.
var ErrNoDuckDB = errors.New("DuckDB is not installed: install the program duckdb and name it with DUCKDB")

// queryDuckDB runs the joins, which are SQL or a shop's part of it, on the records in dir.
func queryDuckDB(ctx context.Context, program, dir, sql string) error {
	if strings.ContainsRune(program, filepath.Separator) { // a path is meant from here, not from dir
		path, err := filepath.Abs(program)
		if err != nil {
			return fmt.Errorf("find %s: %w", program, err)
		}
		program = path
	}
	command := exec.CommandContext(ctx, program, "-batch", "-bail", ":memory:")
	command.Dir = dir
	command.Stdin = strings.NewReader(table + sql + results)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err := command.Run()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run %s: %w", program, ErrNoDuckDB)
	}
	if err != nil {
		return fmt.Errorf("run the joins in DuckDB: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
