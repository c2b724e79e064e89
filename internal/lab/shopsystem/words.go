package shopsystem

import "strings"

// Words of made-up names. Some have what breaks careless SQL and HTML: apostrophes, ampersands,
// letters beyond ASCII, an emoji.
var (
	materials  = []string{"Oak", "Linen", "Steel", "Wool", "Clay"}
	goods      = []string{"Chairs", "Lamps", "Cups & Mugs", "Rugs", "Children's Toys", "Müsli", "Clocks"}
	adjectives = []string{"Plain", "Grandma's", "Bright", "Tiny", "Übergroß", "Salt & Pepper", "Quiet \"Q\"", "Happy 😀",
		"Crème"}
	brands = []string{"Nordlys", "O'Hara", "Smith & Sons", "Añil", "Kōbō"}
	places = []Customer{{Country: "DE", City: "Köln"}, {Country: "FR", City: "Saint-Étienne"}, {Country: "US",
		City: "Boston"},
		{Country: "GB", City: "King's Lynn"}, {Country: "JP", City: "京都"}}
)

// escaped is a text as systems store it that keep HTML in their tables.
func escaped(text string) string { return entities.Replace(text) }

var entities = strings.NewReplacer("&", "&amp;", `"`, "&quot;", "'", "&#039;", "<", "&lt;", ">", "&gt;")
