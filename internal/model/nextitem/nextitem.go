// Package nextitem predicts the next click of a session and measures how well that works. It reads
// click logs, asks every ranker after each click of a test session, and counts how often the click
// that followed stands in the first 20 places. It holds kindred's ranker for sessions and the
// published ones that it is compared with.
//
// It owns the log's format, the questions, the metrics, the rankers and how they are tuned. Which
// part of a log is for what, and how it is reported, belongs to package train. It opens no file and
// knows no service.
package nextitem

import (
	"cmp"
	"slices"

	"kindred/internal/model/canonical"
	"kindred/internal/model/evaluation"
)

// Session is the clicks of one visit, the oldest first.
type Session struct {
	Items []int32   // indexes into Log.Items; Unknown: none of them
	Times []float64 // unix seconds, ascending; as long as Items
}

// Unknown is the index of an item that is not in the catalogue: nothing can recommend it.
const Unknown = -1

// End is the time of the last click.
func (s Session) End() float64 { return s.Times[len(s.Times)-1] }

// Log is the clicks of a shop.
type Log struct {
	Items    []string  // the catalogue: the ids of all items, by index
	Sessions []Session // none is empty
}

// distinct is each item of a list once, in ascending order.
func distinct(items []int32) []int32 {
	own := slices.Clone(items)
	slices.Sort(own)
	return slices.Compact(own)
}

// Clicks is the number of all clicks.
func (l *Log) Clicks() (n int) {
	for _, s := range l.Sessions {
		n += len(s.Items)
	}
	return n
}

// Span is the times of the first and of the last click, zeros of an empty log.
func (l *Log) Span() (first, last float64) {
	for i, s := range l.Sessions {
		if i == 0 || s.Times[0] < first {
			first = s.Times[0]
		}
		if i == 0 || s.End() > last {
			last = s.End()
		}
	}
	return first, last
}

// CutLast moves the n sessions that end last into a second log with the same catalogue.
func (l *Log) CutLast(n int) (rest, last *Log) {
	at := max(len(l.Sessions)-n, 0)
	return &Log{l.Items, l.Sessions[:at]}, &Log{l.Items, l.Sessions[at:]}
}

// Clicked is l with a catalogue of its clicked items alone.
func (l *Log) Clicked() *Log {
	place, clicked := make([]int32, len(l.Items)), &Log{}
	for _, s := range l.Sessions {
		for _, item := range s.Items {
			if item != Unknown && place[item] == 0 {
				clicked.Items = append(clicked.Items, l.Items[item])
				place[item] = int32(len(clicked.Items))
			}
		}
	}
	for _, s := range l.Sessions {
		session := Session{Items: make([]int32, len(s.Items)), Times: s.Times}
		for i, item := range s.Items {
			session.Items[i] = Unknown
			if item != Unknown {
				session.Items[i] = place[item] - 1
			}
		}
		clicked.Sessions = append(clicked.Sessions, session)
	}
	return clicked
}

// Ordered is l with items and sessions in an order that depends on what was clicked and when, never
// on ids or on the order of lines, so that no figure does; sessions are in order of their end. See
// package canonical. No item of l may be Unknown.
func (l *Log) Ordered() *Log {
	items := len(l.Items)
	g := &canonical.Graph{Colours: make([]uint64, items+len(l.Sessions)),
		Edges: func(edge func(a, b int32, label uint64)) {
			for s, session := range l.Sessions {
				for i, item := range session.Items {
					label := evaluation.Mix(evaluation.Mix(uint64(i)+1) + uint64(int64(session.Times[i]*1000)))
					edge(item, int32(items+s), label)
				}
			}
		}}
	for i := range g.Colours {
		if i >= items {
			g.Colours[i] = 1
		}
	}
	place, ordered := make([]int32, items), &Log{Items: make([]string, 0, items)}
	var order []int32 // of sessions
	for _, node := range canonical.Order(g) {
		if int(node) >= items {
			order = append(order, node-int32(items))
			continue
		}
		place[node] = int32(len(ordered.Items))
		ordered.Items = append(ordered.Items, l.Items[node])
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Compare(l.Sessions[a].End(), l.Sessions[b].End())
	})
	for _, s := range order {
		session := Session{Items: make([]int32, len(l.Sessions[s].Items)), Times: l.Sessions[s].Times}
		for i, item := range l.Sessions[s].Items {
			session.Items[i] = place[item]
		}
		ordered.Sessions = append(ordered.Sessions, session)
	}
	return ordered
}

// On is l with the catalogue of another log: items that it lacks become, and unknown ones stay, Unknown.
func (l *Log) On(other *Log) *Log {
	index := make(map[string]int32, len(other.Items))
	for i, id := range other.Items {
		index[id] = int32(i)
	}
	place := make([]int32, len(l.Items))
	for i, id := range l.Items {
		place[i] = Unknown
		if p, ok := index[id]; ok {
			place[i] = p
		}
	}
	moved := &Log{Items: other.Items}
	for _, s := range l.Sessions {
		session := Session{Items: make([]int32, len(s.Items)), Times: s.Times}
		for i, item := range s.Items {
			session.Items[i] = Unknown
			if item != Unknown {
				session.Items[i] = place[item]
			}
		}
		moved.Sessions = append(moved.Sessions, session)
	}
	return moved
}
