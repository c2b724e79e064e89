package main

import (
	"context"
	"slices"
	"strings"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// view is what a question asks to see of the products of an answer, beside ids and scores.
type view struct {
	fields []activity.Field
	reason bool
}

func viewOf(fields []activity.Field) (v view) {
	for _, f := range fields {
		if f == activity.FieldReason {
			v.reason = true
		} else {
			v.fields = append(v.fields, f)
		}
	}
	return v
}

// details are what a view adds to a product of an answer.
type details struct {
	Product     recommend.Facts        `json:"product,omitempty"`
	Reason      *reason                `json:"reason,omitempty"`
	Explanation *recommend.Explanation `json:"explanation,omitempty"`
}

// recommended is a recommended product.
type recommended struct {
	activity.RecommendedItem
	details
}

// similarProduct is a product that is similar to another one.
type similarProduct struct {
	activity.SimilarItem
	details
}

// similarProducts are the products that are similar to one.
type similarProducts struct {
	ProductCode  string           `json:"product_code"`
	SimilarItems []similarProduct `json:"similar_items"`
}

// reason says why a product is in an answer: a key for programs, which pages translate, and a sentence.
type reason struct {
	Key  reasonKey `json:"key"`
	Text string    `json:"text"`
	// The product that it is about, if it is about one.
	Product string `json:"product,omitempty"` // its id
	Name    string `json:"name,omitempty"`    // "" if nobody knows it
}

// reasonKey is a kind of reason.
type reasonKey string

// The reasons.
const (
	reasonBecause  reasonKey = "because"         // of a product of the session
	reasonForYou   reasonKey = "for_you"         // what is known of the customer
	reasonLikeYou  reasonKey = "like_you"        // what is known of customers like this one
	reasonPopular  reasonKey = "popular"         // many customers like it
	reasonNew      reasonKey = "new"             // few know it yet
	reasonTrending reasonKey = "trending"        // more look at it than usual
	reasonViewed   reasonKey = "viewed"          // by the visitor
	reasonTogether reasonKey = "bought_together" // with a product
	reasonSimilar  reasonKey = "similar"         // to a product
)

// sentences are the reasons in English. In one about a product, its name takes the place of the star.
var sentences = map[reasonKey]string{
	reasonBecause:  "Because you looked at *",
	reasonForYou:   "Chosen for you",
	reasonLikeYou:  "Customers like you like it",
	reasonPopular:  "Popular with our customers",
	reasonNew:      "New in our shop",
	reasonTrending: "Trending now",
	reasonViewed:   "You looked at it",
	reasonTogether: "Often bought together with *",
	reasonSimilar:  "Similar to *",
}

// newReason makes a reason, which is about a product if code is not empty.
func newReason(key reasonKey, code string, known map[string]recommend.Facts) *reason {
	r := &reason{Key: key, Product: code}
	if code != "" {
		r.Name = known[code].Text(activity.FieldName)
	}
	shown := r.Name
	if shown == "" {
		shown = code
	}
	r.Text = strings.Replace(sentences[key], "*", shown, 1)
	return r
}

// reasonOf is why a product is recommended.
func reasonOf(it activity.RecommendedItem, source activity.Source) (key reasonKey, code string) {
	switch {
	case it.Explored:
		return reasonNew, ""
	case it.Because != "" && source == activity.SourceTogether:
		return reasonTogether, it.Because
	case it.Because != "" && source == activity.SourceSimilar:
		return reasonSimilar, it.Because
	case it.Because != "":
		return reasonBecause, it.Because
	case source == activity.SourceTrending:
		return reasonTrending, ""
	case source == activity.SourceNew:
		return reasonNew, ""
	case source == activity.SourceViewed:
		return reasonViewed, ""
	case source == activity.SourcePopularity:
		return reasonPopular, ""
	case source == activity.SourceFeatures:
		return reasonLikeYou, ""
	}
	return reasonForYou, ""
}

// facts looks up what the view asks of products, and the names of those that reasons are about.
func (s *server) facts(ctx context.Context, v view, codes, about []string) (map[string]recommend.Facts, error) {
	var asked []string
	if len(v.fields) > 0 {
		asked = append(asked, codes...)
	}
	for _, code := range about {
		if v.reason && code != "" {
			asked = append(asked, code)
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	slices.Sort(asked)
	return s.recommender.Facts(ctx, slices.Compact(asked))
}

// of are the fields of a product that the view asks for.
func (v view) of(known recommend.Facts) recommend.Facts {
	if len(v.fields) == 0 {
		return nil
	}
	shown := recommend.Facts{}
	for _, f := range v.fields {
		if value, ok := known[f]; ok {
			shown[f] = value
		}
	}
	return shown
}

// recommended adds what the view asks for to an answer's products. It changes nothing of the answer.
func (s *server) recommended(ctx context.Context, v view, a recommend.Answer) ([]recommended, error) {
	products := make([]recommended, len(a.Items))
	codes, about := make([]string, len(a.Items)), make([]string, len(a.Items))
	for i, it := range a.Items {
		products[i].RecommendedItem, codes[i], about[i] = it, it.ID, it.Because
	}
	known, err := s.facts(ctx, v, codes, about)
	if err != nil {
		return nil, err
	}
	for i, it := range a.Items {
		d := &products[i].details
		d.Product = v.of(known[it.ID])
		if v.reason {
			key, code := reasonOf(it, a.Source)
			d.Reason = newReason(key, code, known)
		}
		if a.Explanations != nil {
			d.Explanation = &a.Explanations[i]
		}
	}
	return products, nil
}

// shown is an answer's products and, if it has any, the similar ones; else similar is nil.
func (s *server) shown(ctx context.Context, v view, a recommend.Answer) (products []recommended, similar any,
	err error) {
	if products, err = s.recommended(ctx, v, a); err != nil || a.Similar == nil {
		return products, nil, err
	}
	similar, err = s.alike(ctx, v, a.Similar)
	return products, similar, err
}

// alike adds what the view asks for to the products that are similar to one.
func (s *server) alike(ctx context.Context, v view, similar *activity.SimilarItems) (all similarProducts, err error) {
	products, codes := make([]similarProduct, len(similar.SimilarItems)), make([]string, len(similar.SimilarItems))
	for i, it := range similar.SimilarItems {
		products[i].SimilarItem, codes[i] = it, it.ID
	}
	known, err := s.facts(ctx, v, codes, []string{similar.ProductCode})
	if err != nil {
		return all, err
	}
	for i := range products {
		products[i].Product = v.of(known[products[i].ID])
		if v.reason {
			products[i].Reason = newReason(reasonSimilar, similar.ProductCode, known)
		}
	}
	return similarProducts{similar.ProductCode, products}, nil
}
