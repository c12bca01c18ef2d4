# demo_lib.sh: where the demo's cluster is; sourced by demo and demo-stop,
# after lib.sh.
# shellcheck shell=bash

place=$top/.demo

# Of a checkout's two scripts one works at a time. Nothing that outlives it may
# keep descriptor 9.
lock_demo() {
  exec 9<"$top/test/demo_lib.sh"
  flock -n -E 75 9 || [ $? != 75 ] ||
    die "another make demo or make demo-stop works in $top: wait until it has ended"
}

# Stops the demo's server, however much of it is still there, and deletes it.
forget_demo() {
  local home socket
  [ -e "$place" ] || return 0
  home=$(cat "$place/location" 2>/dev/null) || home=$place
  socket=$(cat "$place/socket_location" 2>/dev/null) || socket=
  # Only what the demo makes is ever deleted.
  [[ $home =~ ^/var/tmp/cp_webhook-demo\.[A-Za-z0-9]{6}$ ]] || home=$place
  [[ $socket =~ ^/tmp/cp_webhook\.[A-Za-z0-9]{6}$ ]] || socket=
  stop_server "$home/data"
  rm -rf "$home" ${socket:+"$socket"} "$place" 2>/dev/null ||
    die "$place belongs to the user $(stat -c %U "$place"): make demo-stop as that user or as root"
}
