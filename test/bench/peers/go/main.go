// A receiver of GitHub's pushes in Go: net/http, crypto/hmac, and pgx for
// PostgreSQL. "pool" stores each delivery in a transaction of its own, "batch"
// gathers them (see batch.go). The answer follows the commit.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v4/pgxpool"
)

type delivery struct {
	id, event, headers, body, address string
}

// A store keeps a delivery; the execution's id, empty for one that was known.
type store func(context.Context, *delivery) (string, error)

// verified tells whether "sha256=<hex>" signs the body.
func verified(secret, body []byte, signature string) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

// headersOf is the request's headers as JSON, by lower-case name.
func headersOf(request *http.Request) string {
	headers := make(map[string]string, len(request.Header))
	for name, values := range request.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	text, _ := json.Marshal(headers)
	return string(text)
}

func answer(response http.ResponseWriter, status int, body string) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(status)
	io.WriteString(response, body)
}

func handler(secret []byte, keep store) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		body := make([]byte, 0)
		if request.ContentLength > 0 {
			body = make([]byte, request.ContentLength)
		}
		if _, err := io.ReadFull(request.Body, body); err != nil {
			answer(response, 400, `{"error":"bad_request"}`)
			return
		}
		id := request.Header.Get("X-GitHub-Delivery")
		if id == "" || !verified(secret, body, request.Header.Get("X-Hub-Signature-256")) {
			answer(response, 401, `{"error":"bad_signature"}`)
			return
		}
		var push struct{ Ref string }
		if err := json.Unmarshal(body, &push); err != nil {
			answer(response, 400, `{"error":"bad_json"}`)
			return
		}
		if push.Ref != "refs/heads/main" {
			answer(response, 200, `{"status":"ignored"}`)
			return
		}
		address, _, _ := net.SplitHostPort(request.RemoteAddr)
		execution, err := keep(request.Context(), &delivery{id, request.Header.Get("X-GitHub-Event"),
			headersOf(request), string(body), address})
		switch {
		case err != nil:
			log.Print(err)
			answer(response, 503, `{"error":"unavailable"}`)
		case execution == "":
			answer(response, 200, `{"status":"duplicate"}`)
		default:
			answer(response, 200, `{"status":"triggered","pipelineExecutionId":"`+execution+`"}`)
		}
	}
}

func connect(connections int) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = int32(connections)
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	return pool
}

func statement() string {
	text, err := os.ReadFile(os.Getenv("STORE"))
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		log.Fatal(name, ": ", err)
	}
	return value
}

func main() {
	var keep store
	switch os.Args[1] {
	case "pool":
		keep = newPool(connect(number("POOL")), statement())
	case "batch":
		keep = newBatcher(connect(number("WORKERS")), statement(), number("WORKERS"))
	default:
		log.Fatal("pool or batch?")
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler([]byte(os.Getenv("SECRET")), keep)))
}
