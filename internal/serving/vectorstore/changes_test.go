package vectorstore

import "testing"

// position is what the query of the changes answered.
type position Since

func (r position) Scan(dest ...any) error {
	*dest[0].(*string), *dest[1].(*string) = r.generation, r.transaction
	return nil
}

// TestAReaderOfARestoredDatabaseStartsAnew: after a restore, the numbers of transactions are lower than
// what the reader saw, and it would miss what they write.
func TestAReaderOfARestoredDatabaseStartsAnew(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before, now Since
		next        Since
	}{
		{Since{}, Since{"7", "90", false}, Since{"7", "90", false}},
		{Since{"7", "90", false}, Since{"7", "90", false}, Since{"7", "90", false}},
		{Since{"7", "90", false}, Since{"7", "1000", false}, Since{"7", "1000", false}},
		{Since{"7", "1000", false}, Since{"7", "90", false}, Since{}},
		{Since{"7", "91", false}, Since{"7", "90", false}, Since{}},
	} {
		var c Changes
		if err := c.scan(position(test.now), test.before); err != nil || c.Next != test.next {
			t.Errorf("after %v there is %v: %v, %v", test.before, test.now, c.Next, err)
		}
	}
}
