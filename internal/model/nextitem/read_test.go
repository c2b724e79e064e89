package nextitem

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const text = "\ufeffTime\tUser\tItemId\tSessionId\r\n" +
		"20\t9\tb\ts one\r\n" +
		"5.5\t9\tä\ts2\r\n" +
		"10\t9\ta\ts one\r\n" +
		"\r\n" +
		"1e1\t9\tb\ts one\r\n"
	l, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Items, []string{"b", "ä", "a"}) || len(l.Sessions) != 2 || l.Clicks() != 4 {
		t.Fatalf("read %+v", l)
	}
	if s := l.Sessions[0]; !slices.Equal(s.Items, []int32{2, 0, 0}) || !slices.Equal(s.Times, []float64{10, 10, 20}) {
		t.Errorf("the first session is %+v", s)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const head = "SessionId\tItemId\tTime\n"
	for name, test := range map[string]struct{ text, want string }{
		"nothing":            {"", "no clicks"},
		"a header alone":     {head, "no clicks"},
		"no header":          {"1\t2\t3\n", "line 1: no column SessionId"},
		"commas":             {"SessionId,ItemId,Time\n", "line 1: no column SessionId"},
		"a missing column":   {"SessionId\tItemId\n", "line 1: no column Time"},
		"a short line":       {head + "1\t2\t3\n1\t2\n", "line 3: Time"},
		"no item":            {head + "1\t\t3\n", "line 2: ItemId is missing"},
		"no time":            {head + "1\t2\t\n", "line 2: Time"},
		"a date":             {head + "1\t2\t2020-01-01\n", "line 2: Time"},
		"an infinite time":   {head + "1\t2\tInf\n", "line 2: Time"},
		"no number as time":  {head + "1\t2\tNaN\n", "line 2: Time"},
		"bytes that are not": {head + "1\t\xff\t3\n", "line 2: ItemId is not valid UTF-8"},
		"a long id":          {head + strings.Repeat("x", 129) + "\t2\t3\n", "line 2: SessionId is too long"},
		"a long line":        {head + "1\t2\t3\n" + strings.Repeat("x", 2<<20) + "\n", "line 3: longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(strings.NewReader(test.text))
			if !errors.Is(err, ErrLog) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("SessionId\tItemId\tTime\n1\t2\t3\n1\t3\t2\n")
	f.Add("Time\tSessionId\tItemId\r\n1\ta\tb\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range l.Sessions {
			if len(s.Items) == 0 || len(s.Items) != len(s.Times) || !slices.IsSorted(s.Times) {
				t.Fatalf("session %+v", s)
			}
			for _, item := range s.Items {
				if item < 0 || int(item) >= len(l.Items) {
					t.Fatalf("item %d of %d", item, len(l.Items))
				}
			}
		}
	})
}
