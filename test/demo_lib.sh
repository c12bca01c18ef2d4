# demo_lib.sh: where the demo's cluster is; sourced by demo and demo-stop,
# after lib.sh.
# shellcheck shell=bash

place=$top/.demo

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
