package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sort"

	"github.com/jackc/pgx/v4/pgxpool"
)

// The most that one transaction takes, as many as a receiver's.
const most = 512

type item struct {
	*delivery
	execution string
	done      chan result
}

type result struct {
	execution string
	err       error
}

func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newBatcher stores what has become ready while a writer's last transaction
// committed, in its next one: one statement, one commit, then all answers.
func newBatcher(pool *pgxpool.Pool, text string, writers int) store {
	queue := make(chan *item, 4*most)
	for i := 0; i < writers; i++ {
		go func() {
			for {
				write(pool, text, gather(queue))
			}
		}()
	}
	return func(_ context.Context, d *delivery) (string, error) {
		i := &item{d, uuid(), make(chan result, 1)}
		queue <- i
		r := <-i.done
		return r.execution, r.err
	}
}

// gather waits for one and takes all that are there.
func gather(queue chan *item) []*item {
	batch := []*item{<-queue}
	for len(batch) < most {
		select {
		case i := <-queue:
			batch = append(batch, i)
		default:
			return batch
		}
	}
	return batch
}

func write(pool *pgxpool.Pool, text string, batch []*item) {
	n := len(batch)
	columns := [7][]string{}
	for c := range columns {
		columns[c] = make([]string, n)
	}
	sort.Slice(batch, func(a, b int) bool { return batch[a].id < batch[b].id })
	for row, i := range batch {
		for c, value := range [7]string{i.id, i.event, i.headers, i.body, i.address, i.execution, uuid()} {
			columns[c][row] = value
		}
	}
	stored, err := storeBatch(pool, text, columns)
	for _, i := range batch {
		r := result{"", err}
		if stored[i.execution] {
			r.execution = i.execution
		}
		i.done <- r
	}
}

// storeBatch returns the executions that are stored now.
func storeBatch(pool *pgxpool.Pool, text string, c [7][]string) (map[string]bool, error) {
	stored := make(map[string]bool, len(c[0]))
	rows, err := pool.Query(context.Background(), text, c[0], c[1], c[2], c[3], c[4], c[5], c[6])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var execution, nothing string
		if err := rows.Scan(&execution, &nothing); err != nil {
			return nil, err
		}
		stored[execution] = true
	}
	return stored, rows.Err()
}
