#!/usr/bin/env bash
# tap.sh NAME PROGRAM...: runs NAME.pl of this folder, a TAP test that starts
# servers of its own, as their user in a copy of the tests; skipped where one of
# the programs is not there. The last line is "NAME: N passed, M failed", or
# "NAME: skipped: " and why. Called by run.
#
#   CPW_EXTRA_CONF   lines for postgresql.conf
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib.sh"

name=$1
shift
find_postgres
find_owner
export PATH="$bindir:$PATH:/usr/sbin"
for program_needed in "$@"; do
  case $program_needed in
    */*) [ -e "$program_needed" ] ;;
    *) command -v "$program_needed" >/dev/null ;;
  esac || {
    say "$name: skipped: there is no $program_needed here"
    exit 0
  }
done

# Short: the paths of the servers' sockets are limited to 107 bytes.
work=$(mktemp -d /tmp/cp_webhook-clients.XXXXXX)
# What was interrupted leaves processes; they work in the copy.
at_exit() {
  local process
  for process in /proc/[0-9]*; do
    case $(readlink "$process/cwd" 2>/dev/null) in
      "$work" | "$work"/*) kill -KILL "${process#/proc/}" 2>/dev/null || true ;;
    esac
  done
  rm -rf "$work"
}
trap at_exit EXIT
trap 'exit 143' INT TERM
mkdir -p "$work/test" "$work/tmp_check/log" "$work/tmp"
cp -r "$top/README.md" "$work"
cp -r "$top/test/perl" "$work/test"
mkdir "$work/test/clients"
cp "$top/test/clients/$name.pl" "$top/test/clients/haproxy.cfg" "$work/test/clients"
printf '%s\n' "${CPW_EXTRA_CONF:-}" >"$work/conf"
[ ${#as_owner[@]} -eq 0 ] || chown -R "$owner" "$work"

status=0
(cd "$work" && exec ${as_owner[@]+"${as_owner[@]}"} env TMPDIR="$work/tmp" \
  TESTDIR="$work" TESTLOGDIR="$work/tmp_check/log" TESTDATADIR="$work/tmp_check" \
  PGPORT=65432 TEMP_CONFIG="$work/conf" PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
  prove --verbose -I "$pgxs/src/test/perl" -I "$work/test/perl" "test/clients/$name.pl") >"$work/log" 2>&1 || status=$?
grep '^# ' "$work/log" || true
if [ "$status" != 0 ]; then
  tail -n 40 "$work/log"
  tail -n 20 "$work"/tmp_check/log/* 2>/dev/null || true
fi
bad=$(grep -c '^not ok ' "$work/log" || true)
[ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
say "$name: $(grep -c '^ok ' "$work/log" || true) passed, $bad failed"
[ "$bad" = 0 ]
