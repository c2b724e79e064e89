-- Whose a version is. NULL: a program of before loaded it, and it is anybody's.

-- +goose Up
ALTER TABLE kindred.model_version ADD COLUMN shop text;

-- +goose Down
ALTER TABLE kindred.model_version DROP COLUMN shop;
