package activity

// Fault is a permanent fault of an event: no retry would mend it, so it belongs in quarantine.
// Message is a sentence for a person and holds no value of the event.
type Fault struct {
	Reason  Reason
	Message string
}

// Error gives the reason code and the sentence.
func (f *Fault) Error() string { return string(f.Reason) + ": " + f.Message }
