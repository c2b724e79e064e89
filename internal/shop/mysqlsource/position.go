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

// maxGTIDSearch is how many bytes of its binary log a MariaDB may read to find a GTID: a fraction
// of a second's work.
const maxGTIDSearch = 64 << 20

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

// lastGTID asks a MariaDB for the GTIDs at the end of its binary log. Other servers have none.
func (s *Snapshot) lastGTID() string {
	result, err := s.conn.Execute("SELECT @@gtid_binlog_pos")
	if err != nil {
		return ""
	}
	defer result.Close()
	return keep(result.GetString(0, 0))
}

// snapshotPosition asks MariaDB for the position of the snapshot itself, which needs no privilege.
// MySQL has no such answer. lastGTID is what the log ended with before the snapshot.
func (s *Snapshot) snapshotPosition(before Position, lastGTID string) Position {
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
	if exact.BinlogFile != before.BinlogFile || exact.BinlogPosition != before.BinlogPosition {
		lastGTID = "" // the log has more than the snapshot: a transaction is logged before it is visible
	}
	exact.Exact, exact.None = true, ""
	exact.GTID = s.snapshotGTID(exact, lastGTID)
	return exact
}

// snapshotGTID is the GTID of the snapshot, or "". If the snapshot is at the log's end, and the log
// ends as it did before, that is the last one. Otherwise the server must read its log from the start
// of the file, so it is asked only if the position is near.
func (s *Snapshot) snapshotGTID(at Position, lastGTID string) string {
	if lastGTID != "" && s.lastGTID() == lastGTID {
		return lastGTID
	}
	if at.BinlogPosition > maxGTIDSearch {
		return ""
	}
	result, err := s.conn.Execute(fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", at.BinlogFile, at.BinlogPosition))
	if err != nil {
		return ""
	}
	defer result.Close()
	return keep(result.GetString(0, 0))
}

// keep copies a string of an answer, whose memory holds another answer once it is closed. One that
// is not there is empty.
func keep(s string, err error) string {
	if err != nil {
		return ""
	}
	return strings.Clone(s)
}
