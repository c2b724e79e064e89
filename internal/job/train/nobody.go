package train

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"kindred/internal/lake/interaction"
)

// What training makes of sessions without a customer.
const (
	SessionsAuto = "auto"
	SessionsNone = "none"
)

// inSessionOfNobody is what a session without a customer did with a product.
const inSessionOfNobody interaction.Action = "session"

// What tuning tries for sessions without a customer: confidences of what they looked at, and factors of
// lambda.
var (
	sessionWeights = []float64{0.25, 1}
	sessionLambdas = []float64{1}
)

// withSessions is the same data with a row for each session without a customer, after all others.
func (d *Data) withSessions() *Data {
	o := *d
	o.Customers, o.Feedback, o.Sessions = slices.Clone(d.Customers), slices.Clone(d.Feedback), nil
	for _, looked := range d.Sessions {
		row := int32(len(o.Customers))
		o.Customers = append(o.Customers, Customer{Guest: true, colour: nodeGuest})
		for _, product := range looked {
			o.Feedback = append(o.Feedback, Feedback{Customer: row, Product: product, Action: inSessionOfNobody})
		}
	}
	return &o
}

// dealtAnew are sessions of the same lengths with the same products, which are shuffled among them: what
// sessions teach beyond how popular products are is gone.
func dealtAnew(sessions [][]int32, seed uint64) (dealt [][]int32) {
	all := slices.Concat(sessions...)
	r := rand.New(rand.NewPCG(seed, 0x6465616c74))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, session := range sessions {
		looked := slices.Sorted(slices.Values(all[:len(session)]))
		dealt, all = append(dealt, slices.Compact(looked)), all[len(session):]
	}
	return dealt
}

// sessionsSentence is what tuning chose, for people.
func sessionsSentence(u *UsedWeight, sessions int) string {
	if u == nil {
		return fmt.Sprintf("The validation data do not ask for the %d sessions without a customer.\n", sessions)
	}
	return fmt.Sprintf("%d sessions without a customer teach too: what they looked at has the confidence %.3g. On the "+
		"validation data the mean of NDCG@20 and Recall@20 gains %s.\n", sessions, u.Weight, u.text())
}
