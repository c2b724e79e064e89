package simulation

// productLine is a department of the shop: what its products are called and cost. Names are made up
// of real makers' names, as model shops do.
type productLine struct {
	name     string
	share    float64 // of the catalogue
	price    float64 // median MSRP in currency units
	scales   []string
	from, to int // years in product names
	makers   []string
	models   []string
}

var productLines = []productLine{
	{"Classic Cars", 0.33, 118, []string{"1:10", "1:12", "1:18", "1:24"}, 1948, 2002,
		[]string{"Alpine", "Aston Martin", "BMW", "Chevrolet", "Citroen", "Corvette",
			"Dodge", "Ferrari", "Ford", "Jaguar", "Lancia", "Mercedes", "Porsche", "Renault", "Volvo"},
		[]string{"Coupe", "Roadster", "Rally", "Gran Turismo", "Convertible", "Sedan", "Fastback", "Le Mans", "Targa",
			"Estate", "Spider"}},
	{"Motorcycles", 0.12, 97, []string{"1:10", "1:12", "1:18", "1:24"}, 1930, 2006,
		[]string{"BMW", "BSA", "Ducati", "Harley Davidson", "Honda", "Indian", "Moto Guzzi", "Norton",
			"Triumph", "Vespa", "Yamaha"},
		[]string{"Chopper", "Enduro", "Road Racer", "Scooter", "Cruiser", "Trial", "Sidecar", "Cafe Racer"}},
	{"Planes", 0.11, 89, []string{"1:24", "1:48", "1:72", "1:700"}, 1912, 1998,
		[]string{"Airbus", "Boeing", "Bristol", "Corsair", "Dornier", "Fokker", "Junkers", "Lockheed", "Mustang", "Spitfire"},
		[]string{"Airliner", "Biplane", "Bomber", "Fighter", "Flying Boat", "Glider", "Jet", "Mail Plane", "Night Fighter"}},
	{"Ships", 0.1, 87, []string{"1:18", "1:24", "1:72", "1:700"}, 1765, 1985,
		[]string{"Bounty", "Constitution", "Cutty Sark", "Eastindiaman", "Mayflower",
			"Queen Mary", "Santa Maria", "Titanic", "Vasa", "Yorktown"},
		[]string{"Brig", "Clipper", "Frigate", "Galleon", "Liner", "Paddle Steamer", "Schooner", "Tug", "Yacht"}},
	{"Trains", 0.07, 74, []string{"1:32", "1:50", "1:87"}, 1840, 1990,
		[]string{"Baldwin", "Borsig", "Flying Scotsman", "Henschel", "Mallard", "Orient", "Pacific", "Rocket"},
		[]string{"Boxcar", "Diesel Railcar", "Dining Car", "Express", "Narrow Gauge", "Steam Locomotive", "Streetcar",
			"Tank Engine"}},
	{"Trucks and Buses", 0.1, 103, []string{"1:18", "1:24", "1:32", "1:50"}, 1926, 1999,
		[]string{"Chevy", "Diamond T", "Ford", "GMC", "International", "Mack", "Peterbilt", "Scania", "Setra", "Volvo"},
		[]string{"Coach", "Double Decker", "Dump Truck", "Fire Engine", "Pickup", "Tanker", "Tow Truck", "Trailer Truck"}},
	{"Vintage Cars", 0.17, 80, []string{"1:18", "1:24", "1:50"}, 1903, 1947,
		[]string{"Auburn", "Bentley", "Bugatti", "Cadillac", "Duesenberg", "Ford",
			"Hispano Suiza", "Mercedes", "Packard", "Rolls Royce", "Stutz"},
		[]string{"Boattail", "Cabriolet", "Fire Chief", "Landaulet", "Limousine", "Model A", "Phaeton", "Speedster",
			"Touring"}},
}

var vendors = []string{
	"Autoart Studio Design", "Carousel DieCast Legends", "Classic Metal Creations",
	"Exoto Designs", "Gearbox Collectibles", "Highway 66 Mini Classics",
	"Min Lin Diecast", "Motor City Art Classics", "Red Start Diecast", "Second Gear Diecast",
	"Studio M Art Models", "Unimax Art Galleries", "Welly Diecast Productions",
}

// country is where customers live. weight is its share of them, up to a factor. The order matters:
// a country's segment is its position modulo the number of segments.
type country struct {
	name   string
	weight float64
	cities []string
	states []string // of the cities; nil where addresses have none
}

var countries = []country{
	{"USA", 30, []string{"NYC", "San Francisco", "Boston", "Las Vegas", "Philadelphia",
		"Chicago"}, []string{"NY", "CA", "MA", "NV", "PA", "IL"}},
	{"France", 12, []string{"Paris", "Nantes", "Lyon", "Marseille", "Strasbourg"}, nil},
	{"Germany", 12, []string{"Berlin", "Hamburg", "München", "Köln", "Frankfurt"}, nil},
	{"Spain", 8, []string{"Madrid", "Barcelona", "Sevilla"}, nil},
	{"Australia", 6, []string{"Melbourne", "Sydney", "Brisbane"}, []string{"Victoria", "NSW", "Queensland"}},
	{"UK", 9, []string{"London", "Liverpool", "Manchester", "Cowes"}, nil},
	{"Italy", 6, []string{"Milano", "Torino", "Bergamo"}, nil},
	{"Sweden", 3, []string{"Luleå", "Bräcke", "Stockholm"}, nil},
	{"Norway", 3, []string{"Bergen", "Stavern", "Oslo"}, nil},
	{"Finland", 3, []string{"Helsinki", "Oulu", "Espoo"}, nil},
	{"Canada", 4, []string{"Montréal", "Vancouver", "Tsawassen"}, []string{"Québec", "BC", "BC"}},
	{"Japan", 4, []string{"Minato-ku", "Kita-ku", "Osaka"}, []string{"Tokyo", "Osaka", "Osaka"}},
	{"Belgium", 3, []string{"Bruxelles", "Charleroi"}, nil},
	{"Switzerland", 3, []string{"Genève", "Zürich"}, nil},
	{"Denmark", 3, []string{"København", "Århus"}, nil},
	{"Austria", 3, []string{"Salzburg", "Graz"}, nil},
	{"New Zealand", 3, []string{"Auckland", "Wellington"}, nil},
	{"Singapore", 2, []string{"Singapore"}, nil},
	{"Ireland", 2, []string{"Dublin", "Cork"}, nil},
	{"Portugal", 2, []string{"Lisboa", "Porto"}, nil},
}

var surnames = []string{
	"Adams", "Bergström", "Brennan", "Cartier", "Cervantes", "Dubois", "Eklund",
	"Ferreira", "Fischer", "García", "Hashimoto", "Hansen", "Ito", "Jensen",
	"Keller", "King", "Lefèvre", "Lindqvist", "Martín", "Moretti", "Müller",
	"Nakamura", "Nielsen", "O'Brien", "Petersen", "Piestrzeniewicz", "Rossi",
	"Schmitt", "Silva", "Suominen", "Tanaka", "Thompson", "Urs", "Van Damme", "Virtanen", "Weber", "Yamada", "Young",
	"Zimmermann", "Ælfric",
}

var businesses = []string{
	"Collectables, Inc.", "Gift Shop", "Gifts & Co.", "Imports, Ltd.", "Mini Auto",
	"Mini Classics", "Models GmbH", "Replicas", "Souvenirs", "Toys of Finesse",
	"Toys4GrownUps", "Trading, S.A.", "Wheels", "& Sons", "Diecast Depot", "Marine Models", "Miniatures",
}
