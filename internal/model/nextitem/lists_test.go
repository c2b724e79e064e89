package nextitem

import (
	"errors"
	"slices"
	"testing"
)

// TestMeasureListsAsMeasureDoes gives the same lists both ways.
func TestMeasureListsAsMeasureDoes(t *testing.T) {
	t.Parallel()
	train, test := mustLog(t, 60, 300, 5).CutLast(50)
	rank := VMIS(train, VMISOptions{Sessions: 100, Neighbours: 20, Clicks: 3, IDF: true})
	lists := Lists(test, Cut, rank)
	asked, heard := 0, 0
	answers, got, err := MeasureLists(test, func(session int, click int32) ([]int32, error) {
		if clicks := test.Sessions[session].Items; clicks[heard] != click {
			t.Fatalf("session %d asks with %d as click %d", session, click, heard)
		}
		if heard++; heard == len(test.Sessions[session].Items) {
			heard = 0
			return nil, nil
		}
		asked++
		return lists[asked-1], nil
	})
	if err != nil || len(got) != len(lists) {
		t.Fatalf("%d lists, %v", len(got), err)
	}
	want, err := Measure(t.Context(), test, 2, Each(func(clicks []int32, scores []float32) {
		Listed(Lists(&Log{Items: test.Items, Sessions: []Session{{Items: append(slices.Clone(clicks), 0)}}}, Cut,
			rank)[len(clicks)-1], scores)
	}))
	if err != nil || !slices.Equal(answers, want) {
		t.Errorf("answers differ: %v", err)
	}
	broken := errors.New("broken")
	if _, _, err := MeasureLists(test, func(int, int32) ([]int32, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

// TestClickedKeepsWhatIsClicked drops the items that nobody clicked, and Unknown stays unknown.
func TestClickedKeepsWhatIsClicked(t *testing.T) {
	t.Parallel()
	l := &Log{Items: []string{"a", "b", "c"}, Sessions: []Session{{Items: []int32{2, Unknown, 0, 2},
		Times: []float64{1, 2, 3, 4}}}}
	c := l.Clicked()
	if !slices.Equal(c.Items, []string{"c", "a"}) || !slices.Equal(c.Sessions[0].Items, []int32{0, Unknown, 1, 0}) {
		t.Errorf("got %+v", c)
	}
}
