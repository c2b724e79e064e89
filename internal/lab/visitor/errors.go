package visitor

import "errors"

// ErrEmptyShop says that there is no product to look at.
var ErrEmptyShop = errors.New("the shop has no products: run seed first")
