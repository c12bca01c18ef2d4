# contestants.sh: who is measured, and how each is started, driven, stopped and
# counted; sourced after bench.sh.
# shellcheck shell=bash

# Each answers POSTs on $url; receivers and unsigned are the extension, peers
# are served by peers/FOLDER/serve.
ordinary_peers="node go fastapi"
peers="$ordinary_peers go-batch webhook"
limits="limit-single limit-batch limit-http"

declare -A absent   # why a contestant does not take part
pids=               # of the peer that runs
own_rows=64         # rows of a transaction of limits/batch.sql

# The folder of a peer, and the argument of its programs.
folder_of() {
  case $1 in
    go-batch) say go ;;
    *) say "$1" ;;
  esac
}

argument_of() {
  case $1 in
    go) say pool ;;
    go-batch) say batch ;;
  esac
}

# install_peer NAME: false, with its reason in absent, where that can't be done.
install_peer() {
  local folder
  folder=$(folder_of "$1")
  [ -e "$scratch/$folder.installed" ] && return
  mkdir -p "$scratch/$folder"
  if "$top/test/bench/peers/$folder/install" "$scratch/$folder" >"$scratch/$folder.log" 2>&1 </dev/null; then
    : >"$scratch/$folder.installed"
  else
    # The first complaint, or else the last word.
    absent[$1]="not installed: $({ grep -iE -m 1 'error|missing|failed|cannot|not found' "$scratch/$folder.log" ||
      tail -n 1 "$scratch/$folder.log"; } | head -n 1)"
    return 1
  fi
}

# start_peer NAME: sets url.
start_peer() {
  local folder store=store.sql
  folder=$(folder_of "$1")
  peer_port=$(free_port $((30000 + RANDOM % 2000)))
  url=http://localhost:$peer_port/trigger/bench
  [ "$1" != go-batch ] || store=store_batch.sql
  # shellcheck disable=SC2046 # one argument or none
  PORT=$peer_port WORKERS=2 POOL=16 SECRET=$secret STORE=$top/test/bench/peers/$store \
    PGHOST=$socket PGUSER=postgres PGDATABASE=postgres \
    "$top/test/bench/peers/$folder/serve" "$scratch/$folder" $(argument_of "$1") >"$scratch/$folder.log" 2>&1 </dev/null &
  pids=$!
  wait_until 20 peer_answers
}

peer_answers() {
  curl -s -o /dev/null --noproxy '*' --max-time 5 "http://localhost:$peer_port/"
}

start_http() {
  peer_port=$(free_port $((30000 + RANDOM % 2000)))
  url=http://localhost:$peer_port/
  "$scratch/mhd" "$peer_port" 2 &
  pids=$!
  wait_until 20 peer_answers
}

# descendants PID...: with all beneath them.
descendants() {
  local level="$*"
  while [ -n "$level" ]; do
    say "$level"
    level=$(pgrep -d ' ' -P "${level// /,}" || true)
  done
}

stop_peer() {
  local all pid
  [ -n "$pids" ] || return 0
  all=$(descendants "$pids")
  # shellcheck disable=SC2086 # numbers
  kill -TERM $all 2>/dev/null || true
  for pid in $all; do
    wait_until 10 gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
  wait "$pids" 2>/dev/null || true
  pids=
}

gone() {
  ! grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null
}

# ---------------------------------------------------------------------------
# The bodies, the limits
# ---------------------------------------------------------------------------

# Makes the bodies (payload, signature, by their size in kB), the tables and
# programs of peers and limits.
prepare_contestants() {
  local kb to_pgbench="s/\\\$1/gen_random_uuid()/; s/\\\$2/'push'/g; s/\\\$3/:headers/; s/\\\$4/:body/; s/\\\$5/'127.0.0.1'/g"
  declare -gA payload signature
  for kb in 1 7 25; do
    payload[$kb]=$scratch/push-$kb.json
    "$top/test/bench/payload" $((kb * 1024)) >"${payload[$kb]}"
    signature[$kb]=$(sign "${payload[$kb]}")
  done
  gcc -O2 -o "$scratch/mhd" "$top/test/bench/limits/mhd.c" -lmicrohttpd
  gcc -O2 -shared -fPIC -o "$scratch/fdatasync.so" "$top/test/shim/fdatasync.c" -ldl
  sql <"$top/test/bench/peers/tables.sql"
  mkdir "$scratch/pg"
  chmod 1777 "$scratch/pg"
  # What a request of wrk has.
  headers='{"host": "localhost", "user-agent": "GitHub-Hookshot/7d1c2b5", "content-type": "application/json", "content-length": "7139", "x-github-event": "push", "x-github-delivery": "00000001-0000-4000-8000-000000000001", "x-hub-signature-256": "sha256='${signature[7]}'"}'
  # What $1 to $5 are to a driver, pgbench's variables are to it.
  sed "/^--/d; $to_pgbench; \$s/\$/;/" "$top/test/bench/peers/store.sql" >"$scratch/single.sql"
  cp "$top/test/bench/limits/batch.sql" "$scratch"
  chmod a+r "$scratch"/*.sql
}

# run_pgbench SECONDS CLIENTS FILE BODY
run_pgbench() {
  rm -f "$scratch"/pg/log.*
  as_server timeout -k 5 $(($1 + 60)) "$bindir/pgbench" -h "$socket" -U postgres -n -M prepared -c "$2" -j 1 -T "$1" \
    -l --log-prefix="$scratch/pg/log" -D body="$(cat "$4")" -D headers="$headers" -f "$3" postgres \
    >"$scratch/pgbench.log" 2>&1 </dev/null || {
    tail -n 20 "$scratch/pgbench.log" >&2
    die "pgbench failed (above)"
  }
}

# Sets rate, p50, p99, refused and acked of a pgbench with $1 rows a transaction.
read_pgbench() {
  local rows=$1
  # shellcheck disable=SC2046 # three numbers
  set -- $(cut -d ' ' -f 3 "$scratch"/pg/log.* | sort -n | awk '{ v[NR] = $1 } END {
    printf "%d %.2f %.2f", NR, v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.99 + 0.5)] / 1000 }')
  acked=$(($1 * rows)) p50=$2 p99=$3 refused=0
  rate=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/pgbench.log" | awk -v n="$rows" '{ printf "%.0f", $1 * n }')
}

# ---------------------------------------------------------------------------
# What is stored
# ---------------------------------------------------------------------------

# The schema that a contestant stores into.
schema_of() {
  case $1 in
    receivers | unsigned) say cp_webhook ;;
    *) say bench ;;
  esac
}

# stored SCHEMA PREFIX: the deliveries whose key begins so and that have all
# their rows; fewer of one of the three is fewer.
stored() {
  sql "SELECT count(*) FROM $1.delivery_keys k JOIN $1.executions e ON e.id = k.execution
    JOIN $1.deliveries d ON d.id = e.delivery AND d.provider_delivery_id = k.key AND d.payload IS NOT NULL
    WHERE k.key LIKE '$2%'"
}

empty_tables() {
  sql "TRUNCATE cp_webhook.deliveries, cp_webhook.delivery_keys, cp_webhook.executions,
    bench.deliveries, bench.delivery_keys, bench.executions"
  sql CHECKPOINT
}

at_rest() {
  [ "$(sql "SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()")" = 0 ] && settled
}

# Requests that were under way when a client left are recorded yet.
wait_for_rest() {
  local times
  for times in 1 2 3; do
    wait_until 30 at_rest || die "requests are still recorded, 30 seconds after their client has gone ($times)"
    sleep 0.05
  done
}

# ---------------------------------------------------------------------------
# Whether a contestant does the work
# ---------------------------------------------------------------------------

# post SIGNATURE ID: prints the status.
post() {
  curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 20 "$url" --data-binary "@${payload[7]}" \
    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $2" -H "X-Hub-Signature-256: sha256=$1"
}

# found PROBLEM: the first one counts.
found() {
  [ -n "$problem" ] || problem=$1
}

# verify NAME: sets problem to what it does wrong, if anything: a bad signature
# must be refused and leave nothing behind, a good one must be answered by 2xx, with
# all rows and a notification there, and must do so once for one delivery id.
verify() {
  local status schema wrong heard
  schema=$(schema_of "$1")
  wrong=$(openssl dgst -sha256 -hmac wrong "${payload[7]}" | sed 's/.* //')
  problem=
  status=$(post "$wrong" verify-1)
  case $status in 4??) ;; *) found "answers a bad signature by $status" ;; esac
  wait_for_rest
  [ "$(stored "$schema" verify-1)" = 0 ] || found "stores a delivery with a bad signature"
  # psql tells of a notification after its next command, and runs another in a
  # shell of its own.
  printf '%s\n' '#!/bin/bash' "$(declare -p payload url)" "$(declare -f post)" \
    "post ${signature[7]} verify-2 >'$scratch/status'" >"$scratch/post"
  chmod +x "$scratch/post"
  heard=$(
    sql <<SQL
LISTEN $schema;
\! '$scratch/post'
SELECT;
SQL
  )
  status=$(cat "$scratch/status")
  [ "$status" = 200 ] || found "answers a good signature by $status"
  # The answer follows the commit: no waiting here.
  [ "$(stored "$schema" verify-2)" = 1 ] || found "has not stored what it has acknowledged"
  [ "$(grep -c 'Asynchronous notification' <<<"$heard")" = 1 ] || found "notifies nobody, or more than once"
  status=$(post "${signature[7]}" verify-2)
  [ "$status" = 200 ] || found "answers a repeated delivery by $status"
  wait_for_rest
  [ "$(sql "SELECT count(*) FROM $schema.executions")" = 1 ] || found "does not start one execution for a repeated delivery"
  empty_tables
}
