package modelfile

import (
	"errors"
	"fmt"

	"kindred/internal/model/modelversion"
)

// nearRow is the list of the product in the same row of items.parquet, or of the customer in the same
// row of customers.parquet. An item is a row of items.parquet, from 0.
type nearRow struct {
	Items   []int32   `parquet:"items,list"`
	Weights []float32 `parquet:"weights,list"`
}

func toNearRow(list []modelversion.Neighbour) (r nearRow) {
	for _, n := range list {
		r.Items, r.Weights = append(r.Items, n.Item), append(r.Weights, n.Weight)
	}
	return r
}

func writeNear(near *modelversion.Near, ofItems, ofCustomers string) error {
	return errors.Join(writeRows(ofItems, "nearRow", near.Items, toNearRow),
		writeRows(ofCustomers, "nearRow", near.Customers, toNearRow))
}

func readNear(ofItems, ofCustomers string) (*modelversion.Near, error) {
	items, itemsErr := readLists(ofItems)
	customers, customersErr := readLists(ofCustomers)
	if err := errors.Join(itemsErr, customersErr); err != nil {
		return nil, fmt.Errorf("read neighbours: %w", err)
	}
	return &modelversion.Near{Items: items, Customers: customers}, nil
}

func readLists(name string) (lists [][]modelversion.Neighbour, err error) {
	rows, err := readRows(name, func(r nearRow) nearRow { return r })
	if err != nil {
		return nil, err
	}
	lists = make([][]modelversion.Neighbour, len(rows))
	for i, r := range rows {
		if lists[i], err = listOf(r); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return lists, nil
}

// listOf is the list of a row; nil where it is empty.
func listOf(r nearRow) (list []modelversion.Neighbour, err error) {
	if len(r.Items) != len(r.Weights) {
		return nil, fmt.Errorf("%d neighbours have %d weights: %w", len(r.Items), len(r.Weights), modelversion.ErrInvalid)
	}
	for j, item := range r.Items {
		list = append(list, modelversion.Neighbour{Item: item, Weight: r.Weights[j]})
	}
	return list, nil
}
