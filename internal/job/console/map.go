package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"kindred/internal/job/console/plot"
	"kindred/internal/serving/vectorstore"
)

const (
	drawnProducts  = 600 // on a map
	namedOfAGroup  = 3
	colouredGroups = 5 // the style sheet has colours for so many, and one for the others
	mapHeight      = 460
)

// mapPage is the products on a plane.
type mapPage struct {
	Version string
	Shares  [2]float64
	Drawn   int
	Plot    *plot.Scatter // nil: the version has no map
	Groups  []group
	About   *vectorstore.Sight // the product that the map is asked about; nil: none
}

// group is a category on the map.
type group struct {
	Name  string
	Class string
	Count int
	Liked []vectorstore.Mapped // the most liked ones
}

// productMap draws the products; about is one to be shown with its nearest ones, or empty.
func (s *server) productMap(ctx context.Context, about string) (p mapPage, err error) {
	if s.from.db == nil {
		return p, errNoDatabase
	}
	var ringed []string
	if about != "" {
		page, err := s.product(ctx, about)
		if err != nil {
			return p, err
		}
		p.About = &page.Sight
		ringed = append(ringed, page.ID)
		for _, n := range page.Similar {
			ringed = append(ringed, n.ID)
		}
	}
	drawn, err := s.from.db.ProductMap(ctx, ringed, drawnProducts)
	p.Version, p.Shares, p.Drawn = drawn.Version, drawn.Shares, len(drawn.Products)
	if errors.Is(err, vectorstore.ErrNoMap) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.draw(drawn.Products, ringed)
	return p, nil
}

// draw makes the plot and its legend.
func (p *mapPage) draw(products []vectorstore.Mapped, ringed []string) {
	p.Groups = groups(products)
	classes := map[string]string{}
	for _, g := range p.Groups {
		classes[g.Name] = g.Class
	}
	p.Plot = &plot.Scatter{Height: mapHeight}
	for _, m := range products {
		point := plot.Point{X: m.X, Y: m.Y, Class: classes[m.Category], Link: "/product?id=" + url.QueryEscape(m.ID),
			Title: cmp.Or(m.Name, m.ID)}
		if m.Category != "" {
			point.Title += ", " + m.Category
		}
		switch slices.Index(ringed, m.ID) {
		case -1:
		case 0:
			point.Class += " best"
		default:
			point.Class += " near"
		}
		p.Plot.Points = append(p.Plot.Points, point)
	}
}

// groups are the categories, the largest first, each with its colour. Equally large ones are in the order in which
// the products name them.
func groups(products []vectorstore.Mapped) (all []group) {
	at := map[string]int{}
	for _, m := range products {
		i, known := at[m.Category]
		if !known {
			i = len(all)
			at[m.Category] = i
			all = append(all, group{Name: m.Category})
		}
		g := &all[i]
		if g.Count++; len(g.Liked) < namedOfAGroup {
			g.Liked = append(g.Liked, m)
		}
	}
	slices.SortStableFunc(all, func(a, b group) int { return cmp.Compare(b.Count, a.Count) })
	for i := range all {
		all[i].Class = fmt.Sprintf("dim-%d", min(i, colouredGroups))
	}
	return all
}

func (s *server) showMap(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sourceTime)
	defer cancel()
	p, err := s.productMap(ctx, r.URL.Query().Get("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "map.html", page{Title: "Map of products", Section: "/explore", Body: p})
}
