# bench.sh: what the benchmark and the memory test share; sourced after lib.sh
# and cluster.sh.
# shellcheck shell=bash

secret='correct horse'

# Removes all that this run made; set as the trap of EXIT.
at_exit() {
  local status=$?
  trap - EXIT INT TERM
  [ -z "${child:-}" ] || kill -TERM "$child" 2>/dev/null || true
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
settled() {
  [ "$(sql 'SELECT sum(connections) FROM cp_webhook.stats()')" = 0 ]
}

# The processor time of the server's processes, those that ended too, in ticks.
ticks() {
  local postmaster
  postmaster=$(server_pid "$data")
  cat "/proc/$postmaster/stat" $(pgrep -P "$postmaster" | sed 's|.*|/proc/&/stat|') 2>/dev/null |
    sed 's/.*) //' | awk 'NR == 1 { n = $14 + $15 } { n += $12 + $13 } END { print n }'
}
