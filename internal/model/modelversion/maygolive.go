package modelversion

// MayReplace says whether a version with this verdict may go live by itself, and why not. live is
// the verdict on the version that it would replace; nil: nothing is live.
//
// A version that passed may, and one that was refused may not. Of the uncompared ones, a version
// that beats the baselines may: only a few ratings are newer than the live version, so it can
// hardly have become worse. One that could not even be compared with the baselines may go live
// where nothing better is known: as the first version, or in place of one that was not judged
// either. A small shop would never have a live version otherwise.
//
// Popularity is such an uncompared version. So it goes live where nothing is, or in place of a model
// that nobody could judge, and every model that is not refused takes its place. It never replaces a
// model that is known to be good, or that somebody forced.
func (v Verdict) MayReplace(live *Verdict) (whyNot string, ok bool) {
	switch {
	case v.Decision() == OutcomeRefused:
		return "the gate refuses it", false
	case v.Popularity && live != nil && live.Decision() == OutcomeRefused:
		return "somebody made a model live against the gate's verdict, and popularity does not take its place", false
	case v.Popularity && live != nil && live.Judged():
		return "a model that passed the gate is live, and popularity does not take its place", false
	case v.Judged() || live == nil || !live.Judged():
		return "", true
	}
	return "it could not be compared with the simpler ways to recommend, and the live version beats them", false
}

// SameFactors says whether two versions differ in names and stock alone.
func SameFactors(id string, v Verdict, otherID string, other Verdict) bool {
	return v.origin(id) == other.origin(otherID)
}

func (v Verdict) origin(id string) string {
	if v.CarriedFrom != "" {
		return v.CarriedFrom
	}
	return id
}
