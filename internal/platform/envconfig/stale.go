package envconfig

import "time"

// Stale says how old an answer over HTTP may be while the vector database is down.
type Stale struct {
	// Age is the time since the database last told which versions answer and what can be bought. The
	// default bridges a failover of the database, and is short for stock.
	Age time.Duration `name:"stale-age" env:"STALE_AGE" envDefault:"10m" default:"10m" placeholder:"DURATION" help:"How long the memory goes on answering while the vector database is down, marked as stale. 0: it does not. A version that is not in memory cannot be answered from."`
}
