# bench.sh: what the programs of this folder share; sourced after lib.sh and
# cluster.sh.
# shellcheck shell=bash

secret='correct horse'

# Removes all that this run made; set as the trap of EXIT.
at_exit() {
  local status=$?
  trap - EXIT INT TERM
  [ -z "${child:-}" ] || kill -TERM "$child" 2>/dev/null || true
  ! declare -F stop_peer >/dev/null || stop_peer || true
  remove_cluster || true
  [ -z "${scratch:-}" ] || rm -rf "$scratch"
  exit "$status"
}

# prepare LINE...: builds, installs and starts a server with these settings.
# CPW_INSTALL=staged leaves the system's installation alone.
prepare() {
  scratch=$(mktemp -d /tmp/cp_webhook-bench.XXXXXX)
  chmod 755 "$scratch"
  trap at_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  "$top/test/setup" bench
  find_postgres
  find_owner
  build_and_install "$scratch/stage" "$scratch/build.log"
  make_cluster "$@"
  start_cluster
}

# restart_server [LIBRARY]: with this library preloaded into it.
restart_server() {
  stop_server "$data"
  : >"$home/log"
  as_server env ${1+LD_PRELOAD="$1"} "$bindir/pg_ctl" start -w -t 60 -s -D "$data" -l "$home/log" </dev/null >/dev/null 2>&1 ||
    broken "the server does not start"
  wait_until 20 listening "$(sql 'SHOW cp_webhook.workers')" || broken "the receivers do not listen on port $port"
  wait_until 20 healthy || broken "the receivers do not serve"
}

# The settings of every server that is measured.
bench_settings=("max_wal_size = '8GB'" "min_wal_size = '4GB'" "checkpoint_timeout = '30min'" "shared_buffers = '512MB'")

# put_webhook NAME [FILTERS [AUTHENTICATION CONFIGURATION]]: a pipeline and a
# webhook, for pushes to its branch or with these filters, signed or authenticated
# in another way; the URL.
put_webhook() {
  local authentication=${3:-GITHUB_HMAC} configuration=${4:-"{\"SecretToken\": \"$secret\"}"}
  local filters=${2:-'{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}'}
  sql <<SQL
SELECT cp_webhook.create_pipeline('{"pipeline": {"name": "$1", "stages": [
  {"name": "Source", "actions": [{"name": "GitHub", "configuration": {"Branch": "main"},
    "actionTypeId": {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}}]},
  {"name": "Deploy", "actions": [{"name": "Server",
    "actionTypeId": {"category": "Deploy", "owner": "Custom", "provider": "Rsync", "version": "1"}}]}]}}') \g /dev/null
SELECT cp_webhook.put_webhook('{"webhook": {"name": "$1", "targetPipeline": "$1", "targetAction": "GitHub",
  "filters": [$filters],
  "authentication": "$authentication", "authenticationConfiguration": $configuration}}')
  -> 'webhook' ->> 'url';
SQL
}

# sign FILE
sign() {
  openssl dgst -sha256 -hmac "$secret" "$1" | sed 's/.* //'
}

# run_wrk LIMIT ARGUMENT...: wrk, for at most LIMIT seconds.
run_wrk() {
  timeout -k 5 "$@" >"$scratch/wrk.log" 2>&1 </dev/null &
  child=$!
  wait "$child" || {
    cat "$scratch/wrk.log" >&2
    die "wrk failed (above)"
  }
  child=
}

# What the script's done() printed about NAME.
wrk_said() {
  sed -n "s/^$1=//p" "$scratch/wrk.log"
}

# A client that goes leaves requests behind that are still being recorded.
# Connections of others, as many as $held, stay.
settled() {
  [ "$(sql 'SELECT sum(connections) FROM cp_webhook.stats()')" = "${held:-0}" ]
}

# tree_ticks PID...: the processor time of these processes, all beneath them and
# all that have ended there, in ticks.
tree_ticks() {
  local level="$*" all=
  while [ -n "$level" ]; do
    all+=" $level"
    level=$(pgrep -d ' ' -P "${level// /,}" || true)
  done
  # shellcheck disable=SC2086,SC2046,SC2002 # numbers; one that has ended is left out
  cat $(printf '/proc/%s/stat ' $all) 2>/dev/null | sed 's/.*) //' | awk '{ n += $12 + $13 + $14 + $15 } END { print n + 0 }'
}

# The processor time of the server's processes.
ticks() {
  tree_ticks "$(server_pid "$data")"
}

# ticks_to_us TICKS
ticks_to_us() {
  echo $(($1 * (1000000 / $(getconf CLK_TCK))))
}

# ratio A B DIGITS: integers to a decimal number; nothing divided by nothing is "-".
ratio() {
  awk -v a="$1" -v b="$2" -v digits="$3" 'BEGIN { if (b > 0) printf "%.*f", digits, a / b; else printf "-" }'
}

# median NUMBER...
median() {
  printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { printf "%.*f", v[1] < 10 ? 3 : v[1] < 1000 ? 1 : 0, NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Whether word $1 is among the words $2; none: all are wanted.
wanted() {
  case " ${2:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
}

# The machine and the versions, as a markdown list.
describe_machine() {
  local source
  source=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo "$(extension_version), no checkout")
  git -C "$top" diff --quiet HEAD -- 2>/dev/null || source+=", with changes"
  say "- $(date -u +'%Y-%m-%d %H:%M') UTC, commit $source"
  say "- $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB of memory, $(. /etc/os-release && say "$PRETTY_NAME"), Linux $(uname -r | cut -d - -f 1)"
  say "- $("$bindir/postgres" --version), $(cc_version), libmicrohttpd $(package_version libmicrohttpd-dev), wrk $(package_version wrk)"
  say "- fdatasync of this disk: $(fdatasync_us) us; shared_buffers 512MB, synchronous_commit and fsync on, no checkpoint during a measurement"
}

cc_version() {
  "${CC:-gcc}" --version | head -n 1 | sed 's/ *([^)]*)//'
}

package_version() {
  dpkg-query -W -f '${Version}' "$1" 2>/dev/null | sed 's/[-+].*//' || say unknown
}

# Of 8 kB, where the cluster is.
fdatasync_us() {
  as_server "$bindir/pg_test_fsync" -s 1 -f "$home/fsync" 2>/dev/null |
    sed -n '/one 8kB write/,/two 8kB/ s/^ *fdatasync .* \([0-9]*\) usecs.*/\1/p' | head -n 1
}

# results NAME: the file of this day's results, in RESULTS (or test/bench/results).
results() {
  local folder=${RESULTS:-$top/test/bench/results}
  mkdir -p "$folder"
  say "$folder/$(date -u +%F)$1"
}
