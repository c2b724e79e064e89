package importer

import (
	"bufio"
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// movieLensVendor stands where a shop has the maker of a product.
const movieLensVendor = "MovieLens"

// releaseYear ends the titles of MovieLens: "Toy Story (1995)".
var releaseYear = regexp.MustCompile(`\((\d{3})\d\)\s*$`)

// film maps a film to a product.
func film(id, title, genre string) shop.Product {
	decade := "unknown"
	if m := releaseYear.FindStringSubmatch(title); m != nil {
		decade = m[1] + "0s"
	}
	return shop.Product{
		Code:            strings.Clone(id),
		Name:            strings.Clone(truncate(title, shop.MaxName)),
		Line:            strings.Clone(genre),
		Scale:           decade,
		Vendor:          movieLensVendor,
		QuantityInStock: 1,
	}
}

// viewer maps a user to a customer.
func viewer(id string) shop.Customer {
	return shop.Customer{ID: id, Name: "Viewer " + id}
}

// opinion maps a rating; stars may be halves, at is in Unix seconds or milliseconds.
func opinion(user, film, stars, at string, ids codes) (shop.Rating, error) {
	number, err := integer("user", user, 32)
	if err != nil {
		return shop.Rating{}, err
	}
	r := shop.Rating{CustomerID: ids.share(strconv.FormatInt(number, 10)), ProductCode: film}
	if r.Stars, err = roundedStars("rating", stars); err != nil {
		return r, err
	}
	r.RatedAt, err = ratedAt("timestamp", at)
	return r, err
}

// readLatest reads ratings.csv and movies.csv. There is no file of users: every user who has rated
// something is one.
func readLatest(folder string, s *Shop) error {
	s.Kind = KindMovieLens
	films := firstLines{}
	err := eachRow(folder, "movies.csv", []string{"movieId", "title", "genres"}, func(t *table) error {
		genre, _, _ := strings.Cut(t.text("genres"), "|")
		p := film(whole(t.text("movieId")), t.text("title"), truncate(strings.Trim(genre, "()"), maxLine))
		s.Products = append(s.Products, p)
		return cmp.Or(checkProduct(p), films.add(t, p.Code, "film"))
	})
	if err != nil {
		return err
	}
	codes, ids := s.codes(), codes{}
	seen := map[string]bool{}
	return eachRow(folder, "ratings.csv", []string{"userId", "movieId", "rating", "timestamp"}, func(t *table) error {
		r, err := opinion(t.text("userId"), codes.of(whole(t.text("movieId"))), t.text("rating"), t.text("timestamp"), ids)
		if err != nil {
			return err
		}
		if !seen[r.CustomerID] {
			seen[r.CustomerID] = true
			s.Customers = append(s.Customers, viewer(r.CustomerID))
		}
		s.Ratings = append(s.Ratings, r)
		return nil
	})
}

// genres100K are the flags of u.item, in order, as its README lists them.
var genres100K = [...]string{
	"unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
	"Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
}

// read100K reads u.data, u.item (Latin-1) and, where it is there, u.user, of whose columns the
// schema knows the zip code alone.
func read100K(folder string, s *Shop) error {
	s.Kind = KindMovieLens
	const itemColumns = 5 // id, title, release date, video release date, IMDb address; then the genres' flags
	seenFilms := map[string]bool{}
	err := eachLine(folder, "u.item", "|", itemColumns+len(genres100K), func(f []string) error {
		genre := genres100K[0]
		for i, name := range genres100K {
			if f[itemColumns+i] == "1" {
				genre = name
				break
			}
		}
		p := film(f[0], f[1], genre)
		if seenFilms[p.Code] {
			return fmt.Errorf("film %s is there twice", p.Code)
		}
		seenFilms[p.Code] = true
		s.Products = append(s.Products, p)
		return checkProduct(p)
	})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	if holds(folder, []string{"u.user"}) {
		if err := s.eachViewer(folder, "u.user", "|", seen); err != nil {
			return err
		}
	}
	return s.eachOpinion(folder, "u.data", "\t", seen)
}

// eachViewer reads the users of a file without header, whose fifth field is the zip code.
func (s *Shop) eachViewer(folder, file, separator string, seen map[string]bool) error {
	return eachLine(folder, file, separator, 5, func(f []string) error {
		number, err := integer("user", f[0], 32)
		if err != nil {
			return err
		}
		c := viewer(strconv.FormatInt(number, 10))
		if seen[c.ID] {
			return fmt.Errorf("user %s is there twice", c.ID)
		}
		if zip := f[4]; zip != "" && len(zip) <= maxPostalCode {
			c.PostalCode = &zip
		}
		seen[c.ID] = true
		s.Customers = append(s.Customers, c)
		return nil
	})
}

// eachOpinion reads the ratings of a file without header. seen are the users who are known already.
func (s *Shop) eachOpinion(folder, file, separator string, seen map[string]bool) error {
	codes, ids := s.codes(), codes{}
	return eachLine(folder, file, separator, 4, func(f []string) error {
		r, err := opinion(f[0], codes.of(f[1]), f[2], f[3], ids)
		if err != nil {
			return err
		}
		if !seen[r.CustomerID] {
			seen[r.CustomerID] = true
			s.Customers = append(s.Customers, viewer(r.CustomerID))
		}
		s.Ratings = append(s.Ratings, r)
		return nil
	})
}

// readColons reads ratings.dat and movies.dat, whose fields are divided by two colons, and, where it
// is there, users.dat for the zip codes. They are in Latin-1 or in UTF-8.
func readColons(folder string, s *Shop) error {
	s.Kind = KindMovieLens
	const colons = "::"
	films := map[string]bool{}
	err := eachLine(folder, "movies.dat", colons, 3, func(f []string) error {
		genre, _, _ := strings.Cut(f[2], "|")
		p := film(f[0], f[1], truncate(strings.Trim(genre, "()"), maxLine))
		if films[p.Code] {
			return fmt.Errorf("film %s is there twice", p.Code)
		}
		films[p.Code] = true
		s.Products = append(s.Products, p)
		return checkProduct(p)
	})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	if holds(folder, []string{"users.dat"}) {
		if err := s.eachViewer(folder, "users.dat", colons, seen); err != nil {
			return err
		}
	}
	return s.eachOpinion(folder, "ratings.dat", colons, seen)
}

// eachLine splits every line of a file without header into exactly columns fields. Errors name file and line.
func eachLine(folder, file, separator string, columns int, fn func(fields []string) error) error {
	in, closeFile, err := openText(folder, file)
	if err != nil {
		return err
	}
	defer closeFile()
	lines, n := bufio.NewScanner(in), 1
	for ; lines.Scan(); n++ {
		line := strings.TrimSuffix(decode(lines.Bytes()), "\r")
		if line == "" {
			continue
		}
		if err := text.Check(line, text.NoLimit); err != nil {
			return fmt.Errorf("read %s, line %d: the line %w", file, n, err)
		}
		fields := strings.Split(line, separator)
		if len(fields) != columns {
			return fmt.Errorf("read %s, line %d: %d fields, want %d", file, n, len(fields), columns)
		}
		if err := fn(fields); err != nil {
			return fmt.Errorf("read %s, line %d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s, line %d: %w", file, n, err)
	}
	return nil
}

// decode turns Latin-1, the encoding of ml-100k, into a string. Text that is valid UTF-8 beyond
// ASCII is taken as such: some copies were converted, and Latin-1 prose is hardly ever valid UTF-8.
func decode(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	runes := make([]rune, len(line))
	for i, b := range line {
		runes[i] = rune(b)
	}
	return string(runes)
}
