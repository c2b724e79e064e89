package main

import (
	"context"
	"fmt"

	"kindred/benchmarks/serenade"
	"kindred/internal/model/nextitem"
)

// tune writes the logs and lets Serenade's own search choose its options.
func tune(ctx context.Context, s *serenade.Serenade, p part, iterations int) error {
	for name, l := range map[string]*nextitem.Log{"train": p.train, "valid": p.valid, "test": p.test} {
		if err := s.Write(name+".txt", l); err != nil {
			return err
		}
	}
	return s.Tune(ctx, iterations)
}

// measure starts the server, asks it after every click, and stops it.
func measure(ctx context.Context, s *serenade.Serenade, test *nextitem.Log) (answers []nextitem.Answer,
	lists [][]int32, err error) {
	_, address, stop, err := s.Start(ctx, 1)
	if err != nil {
		return nil, nil, err
	}
	defer stop()
	return nextitem.MeasureLists(test, func(session int, click int32) ([]int32, error) {
		var found []int
		if err := serenade.Get(ctx, serenade.Path(address, fmt.Sprintf("s%d", session), serenade.Number(test, click)),
			&found); err != nil {
			return nil, err
		}
		list := make([]int32, len(found))
		for i, id := range found {
			list[i] = int32(id - 1)
		}
		return list, nil
	})
}
