package importer

import "errors"

var (
	// ErrUnknownFolder says that a path holds no files that can be imported.
	ErrUnknownFolder = errors.New("nothing to import")
	// ErrNothing says that the files hold no row that can be imported. Such an import never replaces a
	// shop.
	ErrNothing = errors.New("there is nothing to import, and the shop stays as it is")
)
