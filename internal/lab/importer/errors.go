package importer

import "errors"

// ErrUnknownFolder says that a folder holds no set of files that can be imported.
var ErrUnknownFolder = errors.New("nothing to import")
