package train

import "errors"

// ErrNoTrainingSet means that the lake holds no committed training set yet.
var ErrNoTrainingSet = errors.New("there is no training set yet; run etl first")

// ErrOtherShop means that the artifacts hold the model versions of another shop.
var ErrOtherShop = errors.New("the artifacts are another shop's")
