package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"kindred/internal/activity"
)

// judge counts every entry. A record that is unanswered and arrived by lostBy is lost.
func (a *Audit) judge(lostBy time.Time) Report {
	a.applyRanges()
	r := Report{
		lostBy: lostBy.UnixMilli(), Malformed: a.bad, Sources: a.output.sources, Versions: a.output.versions, QuarantineReasons: a.output.reasons,
		LatencyMS: Percentiles{P50: a.output.latency.quantile(0.50), P99: a.output.latency.quantile(0.99), Max: a.output.latency.max},
	}
	a.table.events(func(group []*entry) {
		lines, answered, counted := int64(0), false, false
		for _, e := range group {
			e.flags &^= repeated
			if e.flags&inWindow != 0 {
				lines += int64(e.lines)
				counted = counted || e.flags&onStream != 0
			}
			answered = answered || e.flags&recommended != 0
		}
		r.Duplicates += max(0, lines-1)
		if counted {
			r.DistinctEvents++
		}
		if !answered {
			return
		}
		for _, e := range group {
			if e.flags&(recommended|quarantined|failed) == 0 {
				e.flags |= repeated // sent again under the same id, and answered once
			}
		}
	})
	for i := range a.table.used {
		r.count(*a.table.at(i))
	}
	for _, shard := range a.shards {
		r.countOrder(a.table, a.order[shard])
	}
	if d := a.output.last.Sub(a.output.first).Seconds(); d > 0 {
		var answers int64
		for _, n := range a.output.sources {
			answers += n
		}
		r.EventsPerSecond = float64(answers) / d
	}
	return r
}

func (r *Report) count(e entry) {
	if e.flags&inWindow == 0 {
		return
	}
	if e.flags&onStream == 0 {
		r.Unknown++
		return
	}
	r.Events++
	if e.flags&wrongEvent != 0 {
		r.WrongEvent++
	}
	if e.flags&recommended != 0 && e.flags&quarantined != 0 {
		r.Conflicts++
	}
	switch {
	case e.flags&(recommended|repeated) != 0:
		r.Recommended++
	case e.flags&quarantined != 0:
		r.Quarantined++
	case e.flags&failed != 0:
		r.OnFailure++
	case e.arrived <= r.lostBy:
		r.Lost++
	default:
		r.InFlight++
	}
}

// countOrder walks one shard. Records of a session that were first answered before an earlier one of it are out of order;
// lost ones behind the last answered record have not been reached: the function stopped, or is still catching up.
func (r *Report) countOrder(t *table, order []uint32) {
	newest := map[uint64]int64{}
	behind := int64(0)
	for _, i := range order {
		e := t.at(i)
		switch {
		case e.flags&outcome != 0:
			behind = 0
		case e.flags&inWindow != 0 && e.arrived <= r.lostBy:
			behind++
		}
		if e.flags&recommended == 0 || e.flags&inWindow == 0 {
			continue
		}
		if before, ok := newest[e.session]; ok && e.answered < before {
			r.OutOfOrder++
			continue
		}
		newest[e.session] = e.answered
	}
	r.NotReached += behind
}

// applyRanges marks what lies between the first and the last record of the failed batches that name no others. A batch
// that began before the window counts from the window's first record.
func (a *Audit) applyRanges() {
	left := a.ranges[:0]
	for _, r := range a.ranges {
		order := a.order[r.shard]
		start := max(0, a.indexOf(order, r.start))
		end := a.indexOf(order, r.end)
		if end < 0 {
			left = append(left, r) // not read from the stream yet
			continue
		}
		for _, i := range order[min(start, end) : end+1] {
			a.table.at(i).flags |= failed
		}
	}
	a.ranges = left
}

// indexOf finds a place among a shard's entries; -1 when it is not there.
func (a *Audit) indexOf(order []uint32, place hash) int {
	i, ok := a.table.index[place]
	if !ok {
		return -1
	}
	return slices.Index(order, i)
}

// findings gathers the first few examples of each kind of fault. The table knows hashes only, so it reads the stream again;
// without a fault it reads nothing.
func (a *Audit) findings(ctx context.Context, r Report) ([]Finding, error) {
	found := slices.Clone(a.badness)
	for _, i := range slices.Sorted(maps.Keys(a.table.suspects)) {
		if e := a.table.at(i); e.flags&inWindow != 0 && len(found) < len(a.badness)+maxFindings {
			found = append(found, Finding{Kind: kindUnknown, Where: a.table.suspects[i]})
		}
	}
	kinds := map[string]int64{}
	for kind, n := range map[string]int64{kindLost: r.Lost, kindConflict: r.Conflicts, kindWrongEvent: r.WrongEvent} {
		if n > 0 {
			kinds[kind] = min(n, maxFindings)
		}
	}
	enough := errors.New("enough examples")
	for _, shard := range a.shards {
		if len(kinds) == 0 {
			break
		}
		err := a.stream.Read(ctx, shard, "", func(p activity.Position, _ []byte) error {
			i, ok := a.table.index[placeOf(p.Stream, p.Shard, p.SequenceNumber)]
			if !ok {
				return nil
			}
			kind := a.table.at(i).kind(r.lostBy)
			if kinds[kind] == 0 {
				return nil
			}
			found = append(found, Finding{Kind: kind, Where: p.Shard + " " + p.SequenceNumber, ArrivedAt: p.ArrivedAt})
			if kinds[kind]--; kinds[kind] == 0 {
				delete(kinds, kind)
			}
			if len(kinds) == 0 {
				return enough
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	return found, nil
}

// kind names what is wrong with a record, "" when nothing is.
func (e *entry) kind(lostBy int64) string {
	switch {
	case e.flags&inWindow == 0:
		return ""
	case e.flags&onStream == 0:
		return kindUnknown
	case e.flags&outcome == 0 && e.arrived <= lostBy:
		return kindLost
	case e.flags&recommended != 0 && e.flags&quarantined != 0:
		return kindConflict
	case e.flags&wrongEvent != 0:
		return kindWrongEvent
	}
	return ""
}
