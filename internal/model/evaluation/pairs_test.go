package evaluation

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestReadAdjacency(t *testing.T) {
	t.Parallel()
	p, err := ReadAdjacency(strings.NewReader("0 5 2 2\r\n1\r\n\n3\t0  7 \n0 1"))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]int32{{1, 2, 5}, nil, nil, {0, 7}}
	if p.Products != 8 || len(p.Of) != 4 || p.Count() != 5 {
		t.Errorf("read %+v", p)
	}
	for c := range want {
		if !slices.Equal(p.Of[c], want[c]) {
			t.Errorf("user %d has %v, want %v", c, p.Of[c], want[c])
		}
	}
	for _, text := range []string{"0 a", "-1 2", "0 1.5", "0 99999999999"} {
		if _, err := ReadAdjacency(strings.NewReader("0 1\n" + text)); !errors.Is(err, ErrAdjacency) ||
			!strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want ErrAdjacency in line 2", text, err)
		}
	}
}

func TestCutKeepsEveryPairOnce(t *testing.T) {
	t.Parallel()
	p := &Pairs{Products: 50, Of: make([][]int32, 200)}
	for c := 1; c < len(p.Of); c++ {
		for product := range int32(c % 50) {
			p.Of[c] = append(p.Of[c], product)
		}
	}
	rest, held := p.Cut(1)
	if n := held.Count(); n < p.Count()/12 || n > p.Count()/8 {
		t.Errorf("held %d of %d out, want about a tenth", n, p.Count())
	}
	if back := rest.With(held); back.Count() != p.Count() || rest.Count()+held.Count() != p.Count() {
		t.Errorf("%d and %d make %d of %d", rest.Count(), held.Count(), back.Count(), p.Count())
	}
	for c, own := range rest.Of {
		if len(own) == 0 && len(p.Of[c]) > 0 {
			t.Errorf("customer %d lost all they have", c)
		}
	}
	task := rest.Task(held)
	sample := task.Sample(20)
	if len(sample.Cases) != 20 || len(task.Sample(1000).Cases) != len(task.Cases) ||
		!slices.IsSortedFunc(sample.Cases, func(a, b Case) int { return int(a.Customer - b.Customer) }) {
		t.Errorf("sample has %d cases", len(sample.Cases))
	}
	if again := task.Sample(20); !reflect.DeepEqual(again, sample) {
		t.Error("a second sample is another one")
	}
}

func TestWidenGivesAllTheSameSize(t *testing.T) {
	t.Parallel()
	a, b := &Pairs{Products: 3, Of: [][]int32{{0}}}, &Pairs{Products: 9, Of: [][]int32{{1}, {8}}}
	Widen(a, b)
	if a.Products != 9 || b.Products != 9 || len(a.Of) != 2 || len(b.Of) != 2 {
		t.Errorf("widened to %+v and %+v", a, b)
	}
}
