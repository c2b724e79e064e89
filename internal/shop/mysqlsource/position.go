package mysqlsource

import (
	"fmt"
	"strings"
)

// Position is where in the source's history a snapshot was taken, for the manifest.
type Position struct {
	Server         string `json:"server"` // version
	Database       string `json:"database"`
	BinlogFile     string `json:"binlog_file,omitempty"`
	BinlogPosition int64  `json:"binlog_position,omitempty"`
	GTID           string `json:"gtid,omitempty"`
	Exact          bool   `json:"exact"`          // false: the snapshot holds all up to here and perhaps a little more
	None           string `json:"none,omitempty"` // why there is no position
}

// binlogStatus asks for the position of this moment. It is read before the snapshot, so that
// following the binary log from there misses nothing.
func (s *Snapshot) binlogStatus() Position {
	p := Position{Server: trimVersion(s.conn.GetServerVersion()), Database: s.cfg.DBName}
	result, err := s.conn.Execute("SHOW BINARY LOG STATUS") // from MySQL 8.2 on
	if err != nil {
		result, err = s.conn.Execute("SHOW MASTER STATUS")
	}
	if err != nil {
		p.None = "the user may not read the binary log's status"
		return p
	}
	defer result.Close()
	if result.RowNumber() == 0 {
		p.None = "the server writes no binary log"
		return p
	}
	p.BinlogFile = keep(result.GetStringByName(0, "File"))
	p.BinlogPosition, _ = result.GetIntByName(0, "Position")
	p.GTID = keep(result.GetStringByName(0, "Executed_Gtid_Set")) // MariaDB has no such column
	return p
}

// snapshotPosition asks MariaDB for the position of the snapshot itself, which needs no privilege.
// MySQL has no such answer.
func (s *Snapshot) snapshotPosition(before Position) Position {
	result, err := s.conn.Execute("SHOW STATUS LIKE 'binlog_snapshot_%'")
	if err != nil {
		return before
	}
	defer result.Close()
	exact := before
	for i := range result.RowNumber() {
		name, _ := result.GetString(i, 0)
		switch name {
		case "Binlog_snapshot_file":
			exact.BinlogFile = keep(result.GetString(i, 1))
		case "Binlog_snapshot_position":
			exact.BinlogPosition, _ = result.GetInt(i, 1)
		}
	}
	if result.RowNumber() == 0 || exact.BinlogFile == "" {
		return before
	}
	exact.Exact, exact.None = true, ""
	gtid, err := s.conn.Execute(fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", exact.BinlogFile, exact.BinlogPosition))
	if err == nil {
		defer gtid.Close()
		exact.GTID = keep(gtid.GetString(0, 0))
	}
	return exact
}

// keep copies a string of an answer, whose memory holds another answer once it is closed. One that
// is not there is empty.
func keep(s string, err error) string {
	if err != nil {
		return ""
	}
	return strings.Clone(s)
}
