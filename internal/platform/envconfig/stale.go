package envconfig

import "time"

// Stale says how old an answer over HTTP may be while the vector database is down.
type Stale struct {
	// Age is the time since the database last told which versions answer and what can be bought. The
	// default bridges a failover of the database, and is short for stock.
	Age time.Duration `name:"stale-age" env:"STALE_AGE" envDefault:"10m" default:"10m" placeholder:"DURATION" help:"While the vector database is down, serve answers from memory, for at most this long after it last read the database, and marks the answers as stale. With 0, it never does so. Only a version that is in memory can answer."`
}
