package shopdb

import (
	"errors"
	"fmt"

	"kindred/internal/platform/envconfig"
)

// ErrForeignShop says that the database holds a shop that seed did not fill, so it is left alone.
var ErrForeignShop = errors.New("this database holds a shop that seed did not fill")

// ErrBusy says that another seed is loading this database.
var ErrBusy = errors.New("another seed is loading this database")

// ErrDSN says that the data source name is missing or cannot be used: an envconfig.ErrConfig.
var ErrDSN = fmt.Errorf("%w: bad MySQL data source name", envconfig.ErrConfig)
