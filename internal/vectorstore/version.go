package vectorstore

import (
	"time"

	"kindred/internal/modelversion"
)

// How a version's vectors are searched, as the registry names it.
const (
	indexExact = "exact"
	indexHNSW  = "hnsw"
)

// State is how far a version has come in the database.
type State string

// The states of a version.
const (
	StateLoading State = "loading" // being loaded, or the load was interrupted
	StateReady   State = "ready"   // whole
	StateDropped State = "dropped" // tables dropped, registry row kept
)

// Version is a row of the registry.
type Version struct {
	ID        string              `json:"model_version"`
	State     State               `json:"state"`
	Live      bool                `json:"live"`
	Previous  bool                `json:"previous"`
	Dim       int                 `json:"dim"`
	Items     int                 `json:"items"`
	Customers int                 `json:"customers"`
	Rated     int                 `json:"rated"`
	Index     string              `json:"index"`
	TrainedAt time.Time           `json:"trained_at"`
	LoadedAt  *time.Time          `json:"loaded_at"` // nil until ready
	Report    modelversion.Report `json:"report"`
}

// Promotion is one line of the pointer's history.
type Promotion struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action Action    `json:"action"`
	From   string    `json:"from"` // empty: nothing was live
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

// Action is what was done to the pointer.
type Action string

// The actions of the history. A refusal leaves the pointer where it was.
const (
	ActionPromote  Action = "promote"
	ActionForce    Action = "force" // against the gate's verdict
	ActionRollback Action = "rollback"
	ActionRefuse   Action = "refuse"
)

// PromoteOptions say who moves the pointer and why. Force needs a Reason.
type PromoteOptions struct {
	Actor  string
	Reason string
	Force  bool // although the gate refused
}
