package nextitem

import (
	"slices"

	"kindred/internal/model/evaluation"
)

// MeasureLists is Measure for a recommender that answers each click with a list, best first, and
// remembers sessions by itself: ask hears every click in order, the last one of a session too. It
// returns the lists with the answers. The error is ask's.
func MeasureLists(test *Log, ask func(session int, click int32) ([]int32, error)) ([]Answer, [][]int32, error) {
	var all []Answer
	var lists [][]int32
	scores := make([]float32, len(test.Items))
	for s, session := range test.Sessions {
		for p, click := range session.Items {
			list, err := ask(s, click)
			if err != nil {
				return nil, nil, err
			}
			if p+1 == len(session.Items) {
				break
			}
			next := session.Items[p+1]
			a := Answer{Session: s, Position: p + 1, Unseen: !slices.Contains(session.Items[:p+1], next)}
			Listed(list, scores)
			a.judge(scores, next)
			all, lists = append(all, a), append(lists, list)
		}
	}
	return all, lists, nil
}

// Lists is the first n items that a ranker shows for each question of Measure, best first; items of
// equal score are in the order of the catalogue.
func Lists(test *Log, n int, rank Ranker) (lists [][]int32) {
	scores, none := make([]float32, len(test.Items)), make([]bool, len(test.Items))
	for _, session := range test.Sessions {
		for p := 1; p < len(session.Items); p++ {
			rank([][]int32{session.Items[:p]}, scores)
			list := evaluation.Top(scores, none, n)
			lists = append(lists, slices.DeleteFunc(list, func(item int32) bool { return !(scores[item] > NotShown) }))
		}
	}
	return lists
}
