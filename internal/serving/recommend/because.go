package recommend

// because explains why a product is recommended: it names the product of the session that
// contributes most to the product's score, or "" if none contributes anything. The contributions
// are exact, see ials.Query.Contributions.
func (s *session) because(item []float32) string {
	var room [SessionItems]float32
	_, each := s.query.Contributions(item, room[:0])
	code, most := "", float32(0)
	for i, x := range each {
		if x > most {
			code, most = s.folded[i], x
		}
	}
	return code
}
