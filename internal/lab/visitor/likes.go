package visitor

import (
	"math/rand/v2"
	"strconv"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// Likes guides visitors of an imported shop: from a product to somebody who likes it, to another
// product that they like.
type Likes struct {
	known    []shop.Customer
	products []shop.Product
	likes    map[string][]string // customer → products
	likedBy  map[string][]string // product → customers
	pairs    []shop.Rating       // a random one is a product by popularity
}

var _ guide = (*Likes)(nil)

// NewLikes takes the shop's rows; liked are the ratings that count as liking, in a fixed order.
func NewLikes(customers []shop.Customer, products []shop.Product, liked []shop.Rating) *Likes {
	l := &Likes{known: customers, products: products, likes: map[string][]string{}, likedBy: map[string][]string{},
		pairs: liked}
	for _, r := range liked {
		l.likes[r.CustomerID] = append(l.likes[r.CustomerID], r.ProductCode)
		l.likedBy[r.ProductCode] = append(l.likedBy[r.ProductCode], r.CustomerID)
	}
	return l
}

func (l *Likes) customers() []shop.Customer { return l.known }

// newcomer has a number after the last, the home of some customer, and the likes of another. Where
// ids are no numbers it has one that no customer has.
func (l *Likes) newcomer(r *rand.Rand, index int) (shop.Customer, taste) {
	c := shop.Customer{ID: strconv.Itoa(index + 1)}
	if n := len(l.known); n > 0 {
		home := l.known[r.IntN(n)]
		last, whole := text.Integer(l.known[n-1].ID)
		if !whole {
			return shop.Customer{ID: "newcomer-" + c.ID, City: home.City, Country: home.Country}, &likesTaste{Likes: l}
		}
		c = shop.Customer{ID: strconv.FormatInt(last+int64(index)+1, 10), City: home.City, Country: home.Country,
			CreditLimit: home.CreditLimit}
	}
	return c, &likesTaste{Likes: l}
}

func (l *Likes) visit(c shop.Customer) taste { return &likesTaste{Likes: l, own: l.likes[c.ID]} }

// likesTaste goes from product to product by way of somebody who likes both. A customer sets out
// from one of their own likes every time, anybody else from where they are.
type likesTaste struct {
	*Likes
	own     []string
	current string
}

func (t *likesTaste) idea(r *rand.Rand) string {
	from := t.current
	if len(t.own) > 0 {
		from = t.own[r.IntN(len(t.own))]
	}
	fans := t.likedBy[from]
	switch {
	case len(fans) > 0:
		taste := t.Likes.likes[fans[r.IntN(len(fans))]]
		return taste[r.IntN(len(taste))]
	case len(t.pairs) > 0:
		return t.pairs[r.IntN(len(t.pairs))].ProductCode
	}
	return t.products[r.IntN(len(t.products))].Code
}

func (t *likesTaste) looked(code string) { t.current = code }

// usualLiking is the share of the looked-at products that visitors of a generated shop like.
const usualLiking = 0.6

func (t *likesTaste) likes(string) float64 { return usualLiking }
