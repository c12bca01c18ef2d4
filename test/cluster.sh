# cluster.sh: a private throw-away cluster that runs the extension; sourced
# after lib.sh by the scripts that bring their own clients. The caller has run
# find_postgres and find_owner, and calls remove_cluster when it exits.
#
#   CPW_EXTRA_CONF   lines for postgresql.conf, after all others
#   patience         seconds in which a server has started (20); a caller whose
#                    server is slow sets it
# shellcheck shell=bash

# make_cluster [LINE...]: sets home, data, socket and port, and makes a cluster
# with these lines in its postgresql.conf.
make_cluster() {
  # Short: the path of a socket is limited to 107 bytes.
  home=$(mktemp -d /tmp/cp_webhook-cluster.XXXXXX)
  data=$home/data
  socket=$home/socket
  port=$(free_port $((20000 + RANDOM % 10000))) || die "no port is free"
  mkdir "$data" "$socket"
  : >"$home/log"
  [ ${#as_owner[@]} -eq 0 ] || chown -R "$owner" "$home"
  # No fsync of a new cluster that is thrown away.
  quietly "$home/initdb.log" as_server "$bindir/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-locale -N ||
    die "initdb failed (above)"
  # Reached through the directory alone, which is its owner's and root's.
  {
    say "listen_addresses = ''"
    say "unix_socket_directories = '$socket'"
    say "shared_preload_libraries = 'cp_webhook'"
    say "cp_webhook.database = 'postgres'"
    say "cp_webhook.port = $port"
    [ $# -eq 0 ] || printf '%s\n' "$@"
    say "${install_settings:-}"
    say "${CPW_EXTRA_CONF:-}"
  } >>"$data/postgresql.conf"
}

as_server() {
  (cd "$home" && ${as_owner[@]+"${as_owner[@]}"} "$@")
}

# Starts it, creates the extension, and waits until all receivers serve.
start_cluster() {
  local workers
  as_server "$bindir/pg_ctl" start -w -t $((40 + ${patience:-20})) -s -D "$data" -l "$home/log" </dev/null >/dev/null 2>&1 ||
    broken "the server does not start"
  sql 'CREATE EXTENSION cp_webhook' || broken "CREATE EXTENSION failed"
  workers=$(sql 'SHOW cp_webhook.workers')
  wait_until "${patience:-20}" listening "$workers" || broken "the receivers do not listen on port $port"
  wait_until "${patience:-20}" healthy || broken "the receivers do not serve"
}

# broken MESSAGE: with what the server said last.
broken() {
  tail -n 20 "$home/log" >&2
  die "$1 (its log is above)"
}

listening() {
  [ "$(grep -c "cp_webhook listens on .*:$port\b" "$home/log")" -ge "$1" ]
}

healthy() {
  curl -sf --noproxy '*' --max-time 10 "http://localhost:$port/healthz" >/dev/null
}

remove_cluster() {
  [ -n "${home:-}" ] || return 0
  stop_server "$data"
  rm -rf "$home"
}

# sql COMMAND: as the superuser, what it returns unaligned. Without a command,
# what stands in the standard input.
sql() {
  "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d postgres ${1+-c "$1"}
}
