package envconfig

import (
	"cmp"
	"fmt"
	"strings"
)

// Shop names the shop. One place (a lake, a store of model versions, a vector database) holds one
// shop, and every program that writes there refuses another one by its name.
type Shop struct {
	Name string `name:"name" env:"SHOP_NAME" envDefault:"" placeholder:"NAME" help:"Name of the shop. Default: the name of its MySQL database. A lake, a store of model versions and a vector database belong to one shop, and other shops are refused."`
}

// OnlyShop is the shop that a program answers for.
type OnlyShop struct {
	Name string `name:"name" env:"SHOP_NAME" envDefault:"" placeholder:"NAME" help:"${shop_use=Answer for this shop only: if another shop is live, no request is answered, and events that name another shop are refused. Default: answer for the shop that is live}."`
}

// SharedStream lists the shops whose events are on one activity stream.
type SharedStream struct {
	Shops []string `name:"stream-shops" env:"ACTIVITY_STREAM_SHOPS" envDefault:"" placeholder:"NAME" help:"All shops whose events are on the stream, in the same order for all programs. An event belongs to the shop that it names in its field shop, even if the rest of it cannot be read. Events that name no shop of the list belong to the first shop. Default: only the shop of --name."`
}

// maxShopName is the longest name: it is part of a database's name, of which PostgreSQL keeps 63 bytes.
const maxShopName = 40

// Check reports a name that cannot be part of a key, a file's name and a database's name.
func (s Shop) Check() error {
	if s.Name != "" && (s.Name != ShopName(s.Name) || len(s.Name) > maxShopName) {
		return fmt.Errorf("%w: the shop's name has to consist of at most %d letters (a to z, A to Z), digits, _ and -",
			ErrConfig, maxShopName)
	}
	return nil
}

// Of is the name of the shop that reads that database: the one that was given, else the database's.
func (s Shop) Of(database string) string { return cmp.Or(s.Name, ShopName(database)) }

// OtherShop reports whether two things belong to different shops, by their shops' names. What earlier
// programs made has no name, and is anybody's.
func OtherShop(one, other string) bool { return one != "" && other != "" && one != other }

// ShopName is the name of a shop that was given none: that of its database, with nothing in it that
// a path, a shell or a database would take otherwise.
func ShopName(database string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			return c
		}
		return '_'
	}, database)
	return name[:min(len(name), maxShopName)]
}
