package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/latency"
)

// judgement counts every fact, in three passes over buckets on disk: the facts of a position are
// joined (join), positions of an event are compared (group), and the answers of a session are
// followed in their order (follow).
type judgement struct {
	report    Report
	lostBy    int64 // Unix nanoseconds: what arrived by then and is unanswered is lost
	firstLook int64 // Unix nanoseconds
	labels    []label
	latency   latency.Histogram
	answers   int64
	first     int64                // the oldest generated_at; Unix nanoseconds
	last      int64                // the newest generated_at
	reached   []uint64             // of each shard the ordinal of the last record with an outcome
	entries   *spool[entry]        // by event
	steps     *spool[step]         // by session
	index     map[hash]int         // of join
	examples  map[string][]example // by kind, the oldest few
}

// step is one answer of a session.
type step struct {
	session  uint64
	ordinal  uint64
	answered int64
}

// example is a position at which something is wrong.
type example struct {
	place    hash
	at       int64
	inOutput bool // no record on the stream: an output names it
}

// judge counts what is known. A record that is unanswered and arrived by lostBy is lost.
func (a *Audit) judge(lostBy, firstLook time.Time) (_ Report, err error) {
	j := judgement{
		report: Report{Malformed: a.bad[kindMalformed], Strange: a.bad[kindStrange], Sources: map[activity.Source]int64{},
			Versions:          map[string]int64{},
			QuarantineReasons: map[activity.Reason]int64{}, HTTPSources: map[activity.Source]int64{}},
		lostBy: lostBy.UnixNano(), firstLook: firstLook.UnixNano(), labels: a.labels.list, reached: make([]uint64,
			len(a.shards)),
		index: map[hash]int{}, examples: map[string][]example{},
	}
	if j.entries, err = newSpool[entry](a.dir); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, j.entries.close()) }()
	if j.steps, err = newSpool[step](a.dir); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, j.steps.close()) }()
	for _, pass := range []func() error{
		func() error { return eachBucket(a.facts, j.join) },
		func() error { return eachBucket(j.entries, j.group) },
		func() error { return eachBucket(j.steps, j.follow) },
	} {
		if err := pass(); err != nil {
			return Report{}, err
		}
	}
	r := j.report
	if err := a.judgeIDs(&r); err != nil {
		return Report{}, err
	}
	if r.IDs != nil {
		r.waiting += r.IDs.Missing
	}
	r.examples = j.examples
	r.LatencyMS = Percentiles{P50: j.latency.Quantile(0.50), P99: j.latency.Quantile(0.99), Max: j.latency.Max()}
	if j.last > j.first {
		r.EventsPerSecond = float64(j.answers) / time.Duration(j.last-j.first).Seconds()
	}
	return r, nil
}

// eachBucket calls do for the values of each bucket.
func eachBucket[T any](s *spool[T], do func([]T) error) error {
	var room []T
	for b := range spoolBuckets {
		values, err := s.bucket(b, room)
		if err != nil {
			return err
		}
		if err := do(values); err != nil {
			return err
		}
		room = values
	}
	return nil
}

// join makes an entry of all facts of a position.
func (j *judgement) join(facts []fact) error {
	clear(j.index)
	entries := make([]entry, 0, len(facts)/2)
	for _, f := range facts {
		i, ok := j.index[f.place]
		if !ok {
			i = len(entries)
			j.index[f.place] = i
			entries = append(entries, entry{fact: fact{place: f.place}})
		}
		entries[i].add(f)
	}
	for _, e := range entries {
		if e.flags&otherShop != 0 {
			j.countOther(e)
			continue
		}
		if e.flags&overHTTP != 0 {
			j.countHTTP(e)
			continue
		}
		if e.partial() { // it is done when all its records are delivered
			e.flags &^= recommended
		}
		j.total(e)
		if e.flags&onStream != 0 && e.flags&outcome != 0 {
			shard := e.ordinal >> shardShift
			j.reached[shard] = max(j.reached[shard], e.ordinal)
		}
		if err := j.entries.add(e.event[0], e); err != nil {
			return err
		}
	}
	return nil
}

// countOther takes note of an event of another shop: only an answer by the audited shop is of interest.
func (j *judgement) countOther(e entry) {
	if e.flags&inWindow != 0 && e.flags&recommended != 0 && e.flags&byOther == 0 {
		j.report.WrongShop++
		j.keep(kindWrongShop, e)
	}
}

// countHTTP counts an answer to a request, of which the stream knows nothing. Another shop's is of no interest.
func (j *judgement) countHTTP(e entry) {
	r := &j.report
	if e.flags&inWindow == 0 || e.flags&byOther != 0 {
		return
	}
	r.HTTPAnswers++
	r.HTTPSources[j.labels[e.label].source]++
	r.Versions[j.labels[e.label].version]++
	r.Duplicates += int64(e.lines) - distinct(e.strip)
	if e.flags&empty != 0 {
		r.EmptyAnswers++
	}
	j.countLine(e)
}

// countLine counts what is wrong with the delivered line of an entry.
func (j *judgement) countLine(e entry) {
	r := &j.report
	if e.flags&wrongEvent != 0 {
		r.WrongEvent++
		j.keep(kindWrongEvent, e)
	}
	if e.flags&altered != 0 {
		r.Altered++
		j.keep(kindAltered, e)
	}
}

// total adds an output in the window to the report's tallies; of several answers the earliest.
func (j *judgement) total(e entry) {
	if e.flags&inWindow == 0 {
		return
	}
	if e.flags&quarantined != 0 {
		j.report.QuarantineReasons[j.labels[e.quarantine].reason]++
	}
	if e.flags&recommended == 0 {
		return
	}
	if e.flags&empty != 0 {
		j.report.EmptyAnswers++
	}
	j.report.Products += int64(e.products)
	j.report.UnknownProducts += int64(min(e.unknown, e.products))
	if e.flags&stranger != 0 {
		j.report.UnknownCustomers++
	}
	j.report.Sources[j.labels[e.label].source]++
	if j.labels[e.label].source != activity.SourceState { // which no version answers
		j.report.Versions[j.labels[e.label].version]++
	}
	j.latency.Add(float64(e.latency))
	if j.answers == 0 || e.answered < j.first {
		j.first = e.answered
	}
	if j.answers == 0 || e.answered > j.last {
		j.last = e.answered
	}
	j.answers++
}

// group compares the entries of each event, and counts all.
func (j *judgement) group(entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.event[:], b.event[:]) })
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].event == entries[0].event && entries[0].event != (hash{}) {
			n++
		}
		j.event(entries[:n])
		lost := j.report.Lost
		for _, e := range entries[:n] {
			j.count(e)
			if e.flags&recommended == 0 || e.flags&onStream == 0 || e.flags&inWindow == 0 {
				continue
			}
			if err := j.steps.add(byte(e.session), step{e.session, e.ordinal, e.answered}); err != nil {
				return err
			}
		}
		if j.report.Lost > lost {
			j.report.DistinctLost++
		}
		entries = entries[n:]
	}
	return nil
}

// event compares the entries of one event.
func (j *judgement) event(group []entry) {
	lines, strips, answered, counted := int64(0), uint8(0), false, false
	first := -1 // the event that came first
	for i, e := range group {
		if e.flags&onStream != 0 && e.content != 0 && (first < 0 || e.arrived < group[first].arrived) {
			first = i
		}
	}
	for i, e := range group {
		if e.flags&onStream != 0 && e.content != 0 && e.content != group[first].content {
			group[i].flags |= reused
		}
	}
	for _, e := range group {
		if e.flags&inWindow != 0 {
			lines, strips = lines+int64(e.lines), strips|e.strip
			counted = counted || e.flags&onStream != 0
		}
		answered = answered || e.flags&recommended != 0
	}
	j.report.Duplicates += max(0, lines-distinct(strips))
	if counted {
		j.report.DistinctEvents++
	}
	if !answered {
		return
	}
	for i := range group {
		if group[i].flags&recommended == 0 {
			group[i].flags |= repeated
		}
	}
}

func (j *judgement) count(e entry) {
	r := &j.report
	if e.flags&inWindow == 0 {
		return
	}
	if e.flags&onStream == 0 {
		r.Unknown++
		j.keep(kindUnknown, e)
		return
	}
	r.Events++
	j.countLine(e)
	if e.flags&byOther != 0 {
		r.WrongShop++
		j.keep(kindWrongShop, e)
	}
	if e.flags&reused != 0 {
		r.ReusedIDs++
		j.keep(kindReused, e)
	}
	if e.flags&recommended != 0 && e.flags&quarantined != 0 {
		r.Conflicts++
		j.keep(kindConflict, e)
	}
	if e.flags&(quarantined|failed) != 0 && e.flags&repeated != 0 {
		r.Redriven++
	}
	switch {
	case e.flags&recommended != 0:
		r.Recommended++
	case e.flags&quarantined != 0:
		r.Quarantined++
	case e.flags&failed != 0:
		r.OnFailure++
	case e.flags&repeated != 0:
		r.Recommended++
	case e.flags&ofErased != 0:
		r.Erased++
	case e.at <= j.lostBy:
		r.Lost++
		j.keep(kindLost, e)
		if e.ordinal > j.reached[e.ordinal>>shardShift] {
			r.NotReached++
		} else {
			r.Missing++
		}
	default:
		r.InFlight++
		if e.at <= j.firstLook {
			r.waiting++
		}
	}
}

// keep remembers an example, when it is one of the oldest.
func (j *judgement) keep(kind string, e entry) {
	list := append(j.examples[kind], example{e.place, e.at, e.flags&onStream == 0})
	slices.SortFunc(list, func(a, b example) int { return cmp.Compare(a.at, b.at) })
	j.examples[kind] = list[:min(len(list), maxFindings)]
}

// follow counts the answers that were first given before an earlier one of their session.
func (j *judgement) follow(steps []step) error {
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.session, b.session), cmp.Compare(a.ordinal, b.ordinal))
	})
	newest := int64(0)
	for i, s := range steps {
		if i > 0 && steps[i-1].session == s.session && s.answered < newest {
			j.report.OutOfOrder++
			continue
		}
		newest = s.answered
	}
	return nil
}

// findings names the examples of each kind of fault. The facts on disk know hashes only, so it
// reads stream and outputs again, until it has found all; without a fault it reads nothing.
func (a *Audit) findings(ctx context.Context, r Report, list string) ([]Finding, error) {
	ids, err := a.idFindings(ctx, r, list)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(a.badness, ids)
	onStream, inOutputs := map[hash]string{}, map[hash]string{}
	for kind, examples := range r.examples {
		for _, e := range examples {
			if e.inOutput {
				inOutputs[e.place] = kind
			} else {
				onStream[e.place] = kind
			}
		}
	}
	enough := errors.New("enough examples")
	take := func(wanted map[hash]string, place hash, f Finding) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		kind, ok := wanted[place]
		if !ok {
			return nil
		}
		f.Kind = kind
		found = append(found, f)
		if delete(wanted, place); len(wanted) == 0 {
			return enough
		}
		return nil
	}
	if len(inOutputs) > 0 {
		to := a.silent()
		to.fact = func(f fact, where string) error { return take(inOutputs, f.place, Finding{Where: where}) }
		err := a.eachOutput(ctx, func(objectstore.Info) bool { return true }, to)
		if err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	for _, s := range a.shards {
		if len(onStream) == 0 {
			break
		}
		err := a.eachRecord(ctx, s.name, "", func(p activity.Position, data []byte) error {
			for _, item := range activity.Read(nil, p, data) {
				where := p.Shard + " " + p.SequenceNumber
				if n := item.Position.SubSequenceNumber; n > 0 {
					where += fmt.Sprintf(" event %d", n)
				}
				if err := take(onStream, placeOf(item.Position), Finding{Where: where, ArrivedAt: p.ArrivedAt}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	return found, nil
}
