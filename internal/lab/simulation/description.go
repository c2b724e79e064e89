package simulation

const (
	// descriptionTopics are what descriptions speak of besides what customers care for.
	descriptionTopics = 10
	// descriptionNoise is the σ of what an embedding does not owe to its text, where the text has σ 1.
	descriptionNoise = 0.5
)

// Descriptions are embeddings of n components as a language model gives them for texts that describe
// the products: directions for what customers care for (the style), for other topics, and noise.
// A product without ratings has a description too.
func (s *Shop) Descriptions(n int) [][]float32 {
	r := s.random(streamDescriptions, 0)
	topics := s.cfg.Dims + descriptionTopics
	directions := make([][]float64, topics)
	for i := range directions {
		directions[i] = gauss(r, n)
	}
	all := make([][]float32, len(s.products))
	for p := range all {
		text := gauss(r, topics)
		for i, x := range s.styles[p] {
			text[i] = x * sqrt(float64(s.cfg.Dims)) // of σ 1, as the other topics
		}
		all[p] = make([]float32, n)
		for j := range all[p] {
			sum := descriptionNoise * r.NormFloat64()
			for i, x := range text {
				sum += float64(x*directions[i][j]) / sqrt(float64(topics))
			}
			all[p][j] = float32(sum)
		}
	}
	return all
}
