package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// lists are the names in /lists/{list}.
var lists = map[string]activity.Source{"popular": activity.SourcePopularity, "trending": activity.SourceTrending,
	"new": activity.SourceNew}

// maxReranked is how many products a question may give to be ordered.
const maxReranked = 500

// listAnswer is the body of a list. A list may be shorter than its limit, and empty.
type listAnswer struct {
	RecommendationID *string         `json:"recommendation_id"` // see customerAnswer
	ModelVersion     string          `json:"model_version"`
	Source           activity.Source `json:"source"`
	Stale            bool            `json:"stale,omitempty"`
	RecommendedItems []listed        `json:"recommended_items"`
	UnknownItems     []string        `json:"unknown_items,omitempty"` // of a reranked list: behind the others
	Cursor           string          `json:"cursor,omitempty"`        // asks for the next page
}

// listed is a product of a list.
type listed struct {
	ID      string  `json:"id"`
	Score   float32 `json:"score,omitempty"`
	Because string  `json:"because,omitempty"` // of a reranked list
	details
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	source, known := lists[r.PathValue("list")]
	if !known {
		s.problem(w, r, http.StatusNotFound, "the lists are popular, trending and new")
		return
	}
	s.answerList(w, r, recommend.ListQuery{List: source}, page{})
}

func (s *server) together(w http.ResponseWriter, r *http.Request) {
	code := r.PathValue("code")
	s.answerList(w, r, recommend.ListQuery{List: activity.SourceTogether, Product: code}, page{product: activity.ID(code)})
}

func (s *server) viewedByCustomer(w http.ResponseWriter, r *http.Request) {
	id := activity.ID(r.PathValue("id"))
	if err := text.CheckID(string(id)); err != nil {
		s.problem(w, r, http.StatusBadRequest, "the customer's id in the path "+err.Error())
		return
	}
	s.answerList(w, r, recommend.ListQuery{List: activity.SourceViewed, Customer: string(id)}, page{customer: &id})
}

func (s *server) viewedInSession(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if text.Check(id, text.NoLimit) != nil || len([]rune(id)) > activity.MaxID {
		s.problem(w, r, http.StatusBadRequest, "the session's id in the path must be a text of 1 to 256 characters")
		return
	}
	s.answerList(w, r, recommend.ListQuery{List: activity.SourceViewed, Session: id}, page{sessionID: id})
}

// answerList answers with a list, for a page.
func (s *server) answerList(w http.ResponseWriter, r *http.Request, q recommend.ListQuery, about page) {
	arrived := s.now()
	control, ok := s.asked(w, r, activity.MaxAnswer)
	if !ok {
		return
	}
	page, problem := pageOf(r)
	if problem != "" {
		s.problem(w, r, http.StatusBadRequest, problem)
		return
	}
	page.customer, page.product = about.customer, about.product
	page.sessionID = cmp.Or(about.sessionID, page.sessionID)
	q.Visitor = page.visitor()
	answer, err := s.recommender.List(r.Context(), q, control)
	if errors.Is(err, recommend.ErrUnknownProduct) {
		s.problem(w, r, http.StatusNotFound, "the live model does not know this product")
		return
	}
	if err != nil {
		s.unanswered(w, r, err)
		return
	}
	products, err := s.listed(r.Context(), viewOf(answer.Fields), answer, q.Product)
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	id := s.attribute(r, page, answer, arrived)
	s.write(w, r, listAnswer{RecommendationID: id, ModelVersion: answer.ModelVersion, Source: answer.Source,
		Stale: answer.Stale, RecommendedItems: products, Cursor: answer.Cursor})
}

// listed adds what the view asks for to a list's products; about is the product that the list is about, if any.
func (s *server) listed(ctx context.Context, v view, a recommend.Answer, about string) ([]listed, error) {
	shown, err := s.recommended(ctx, v, a)
	if err != nil {
		return nil, err
	}
	var known map[string]recommend.Facts
	if about != "" {
		if known, err = s.facts(ctx, view{reason: v.reason}, nil, []string{about}); err != nil {
			return nil, err
		}
	}
	products := make([]listed, len(shown))
	for i, p := range shown {
		products[i] = listed{p.ID, p.Score, p.Because, p.details}
		if about != "" && v.reason {
			products[i].Reason = newReason(reasonTogether, about, known)
		}
	}
	return products, nil
}

// reranking is what POST /rerank takes beside an activity event.
type reranking struct {
	Products []activity.ID `json:"products"`
}

func (s *server) rerank(w http.ResponseWriter, r *http.Request) {
	arrived := s.now()
	data, event, ok := s.event(w, r)
	if !ok {
		return
	}
	var given reranking
	codes, problem := []string(nil), "products is no list of ids"
	if err := json.Unmarshal(data, &given); err == nil {
		codes, problem = given.codes()
	}
	if problem != "" {
		s.refuse(w, r, &activity.Fault{Reason: activity.ReasonSchema, Message: problem})
		return
	}
	answer, err := s.recommender.Rerank(r.Context(), event, codes)
	if err != nil {
		s.unanswered(w, r, err)
		return
	}
	products, err := s.listed(r.Context(), viewOf(answer.Fields), answer.Answer, "")
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	record := s.recordsOf(r, answer.Answer, data, event, arrived, codes)[0]
	var id *string
	if s.deliver(r, &record) {
		id = &record.Recommendation.ID
	}
	s.write(w, r, listAnswer{RecommendationID: id, ModelVersion: answer.ModelVersion, Source: answer.Source,
		Stale: answer.Stale, RecommendedItems: products, UnknownItems: answer.Unknown, Cursor: answer.Cursor})
}

// codes are the products. problem is the first broken rule.
func (g reranking) codes() (codes []string, problem string) {
	if len(g.Products) == 0 || len(g.Products) > maxReranked {
		return nil, fmt.Sprintf("products must be a list of 1 to %d ids", maxReranked)
	}
	for i, id := range g.Products {
		if err := text.CheckID(string(id)); err != nil {
			return nil, fmt.Sprintf("products[%d] %v", i, err)
		}
		codes = append(codes, string(id))
	}
	return codes, ""
}
