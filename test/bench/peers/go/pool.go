package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

// newPool stores each delivery by a statement, and so a transaction, of its own.
func newPool(pool *pgxpool.Pool, text string) store {
	return func(ctx context.Context, d *delivery) (string, error) {
		var execution, nothing string
		err := pool.QueryRow(ctx, text, d.id, d.event, d.headers, d.body, d.address).Scan(&execution, &nothing)
		if errors.Is(err, pgx.ErrNoRows) {
			return "", nil
		}
		return execution, err
	}
}
