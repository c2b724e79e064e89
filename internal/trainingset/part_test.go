package trainingset

import (
	"fmt"
	"testing"
)

func TestPartsAreCutBetweenRowGroups(t *testing.T) {
	t.Parallel()
	p := partWriter[customerRow]{dir: t.TempDir(), dataSet: Customers, limitBytes: 1, limitRows: 10}
	rows := make([]customerRow, 25)
	for i := range rows {
		rows[i].CustomerNumber = int32(i)
	}
	if err := p.write(rows[:7]); err != nil {
		t.Fatal(err)
	}
	if err := p.write(rows[7:]); err != nil {
		t.Fatal(err)
	}
	files, err := p.close()
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, f := range files {
		got += fmt.Sprint(f.Path, " ", f.Rows, "\n")
	}
	const want = "customers/part-00000.parquet 10\ncustomers/part-00001.parquet 10\ncustomers/part-00002.parquet 5\n"
	if got != want {
		t.Errorf("parts:\n%swant:\n%s", got, want)
	}
}
