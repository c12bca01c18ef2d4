# lib.sh: what the scripts under test/ share; sourced by bash, after
# `set -eu` and with $top holding the absolute path of the checkout.
# shellcheck shell=bash

program=${0##*/}
control=cp_webhook.control
: "${PG_CONFIG:=pg_config}"

# The caller's libpq settings must not lead a script to another server, and a
# tool's output is read by scripts: plain C.
for name in $(compgen -e PG); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done
unset name
export LC_ALL=C
# What root builds, the server's user must be able to read.
umask 022

say() {
  printf '%s\n' "$*"
}

die() {
  printf '%s: %s\n' "$program" "$*" >&2
  exit 1
}

# Without it make and the compiler fail in words that tell nothing.
[ -d "${TMPDIR:-/tmp}" ] && [ -w "${TMPDIR:-/tmp}" ] ||
  die "no file can be made in ${TMPDIR:-/tmp}: set TMPDIR to a directory in which one can"

extension_version() {
  sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$top/$control"
}

# as_root COMMAND...: through sudo where we are not root.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# Whether as_root can work: sudo may want a password, which takes a terminal, and
# says no to who may not.
can_be_root() {
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
    { command -v sudo >/dev/null && [ -t 0 ] && sudo -v -p "$program installs with sudo: the password of %p? "; }
}

# quietly LOG COMMAND...: the output is shown only when the command fails.
quietly() {
  local log=$1
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    return 1
  fi
}

# ---------------------------------------------------------------------------
# PostgreSQL
# ---------------------------------------------------------------------------

# Sets PG_CONFIG (exported), bindir, pgxs (the directory) and major. PG_CONFIG
# as given; else that of the newest installed version with headers, for Debian's
# own pg_config is not there or points elsewhere without them.
find_postgres() {
  local candidate
  if ! "$PG_CONFIG" --version >/dev/null 2>&1; then
    [ "$PG_CONFIG" = pg_config ] || die "PG_CONFIG=$PG_CONFIG does not run"
    for candidate in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV); do
      if [ -x "$candidate" ] && [ -e "$("$candidate" --includedir-server)/postgres.h" ]; then
        PG_CONFIG=$candidate
        break
      fi
    done
  fi
  "$PG_CONFIG" --version >/dev/null 2>&1 || die "no pg_config found: say PG_CONFIG=/path/to/pg_config"
  export PG_CONFIG
  bindir=$("$PG_CONFIG" --bindir)
  pgxs=$(cd "$(dirname "$("$PG_CONFIG" --pgxs)")/../.." && pwd)
  major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
}

# Builds in the checkout and installs. CPW_INSTALL=staged (and a user who can't
# become root) installs into the directory STAGE and leaves the system alone;
# install_settings then holds what a server needs to look there.
build_and_install() {
  local stage=$1 log=$2 libdir sharedir
  quietly "$log" make -C "$top" -j"$(nproc)" with_llvm=no all || die "the build failed (above)"
  install_settings=
  if [ "${CPW_INSTALL:-system}" = system ]; then
    if can_be_root; then
      quietly "$log" as_root make -C "$top" with_llvm=no PG_CONFIG="$PG_CONFIG" install ||
        die "make install failed (above)"
      return
    fi
    say "$program: neither root nor sudo: installing into $stage"
  fi
  rm -rf "$stage"
  quietly "$log" make -C "$top" with_llvm=no DESTDIR="$stage" install || die "make install failed (above)"
  libdir=$("$PG_CONFIG" --pkglibdir)
  sharedir=$("$PG_CONFIG" --sharedir)
  install_settings="dynamic_library_path = '$stage$libdir:\$libdir'"
  if [ "$major" -ge 18 ]; then
    install_settings+=$'\n'"extension_control_path = '$stage$sharedir:\$system'"
  elif [ -e /etc/debian_version ]; then
    # Debian's own setting; PostgreSQL has one since 18.
    install_settings+=$'\n'"extension_destdir = '$stage'"
  else
    die "an installation into $stage is found by PostgreSQL 18 or Debian's packages only: run as root or with sudo"
  fi
}

# initdb and postgres refuse to run as root: sets owner, and as_owner to the
# words that run a command as that user.
find_owner() {
  owner=$(id -un)
  as_owner=()
  if [ "$(id -u)" = 0 ]; then
    owner=postgres
    id "$owner" >/dev/null 2>&1 || die "a server can't run as root, and there is no user $owner to run it as"
    if command -v runuser >/dev/null; then
      as_owner=(runuser -u "$owner" --)
    else
      as_owner=(setpriv --reuid="$owner" --regid="$owner" --init-groups --)
    fi
  fi
}

# The process id of the server that runs on a data directory, if one does. A
# killed server leaves its postmaster.pid behind and the number may be another
# process's by now: only one whose working directory is the data directory is.
server_pid() {
  local pid
  pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(readlink -f "$1")" ] && echo "$pid"
}

# stop_server DATA: ends it and waits for it; nothing to do where none runs.
stop_server() {
  local pid tries=0
  pid=$(server_pid "$1") || return 0
  kill -INT "$pid" 2>/dev/null || die "the server $pid belongs to another user: run this as $(stat -c %U "$1")"
  while [ -d "/proc/$pid" ]; do
    tries=$((tries + 1))
    [ "$tries" != 150 ] || kill -QUIT "$pid" 2>/dev/null || true
    [ "$tries" -lt 300 ] || die "the server $pid does not stop"
    sleep 0.1
  done
}

# The first port from $1 on that nobody listens on, neither on 127.0.0.1 nor
# on ::1. perl: every Debian has it.
free_port() {
  perl -MSocket=:DEFAULT,inet_pton -e '
    my ($port) = @ARGV;
    port: for (; $port < 65536; $port++) {
      for ([AF_INET, pack_sockaddr_in($port, inet_pton(AF_INET, "127.0.0.1"))],
           [AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, "::1"))]) {
        socket(my $s, $_->[0], SOCK_STREAM, 0) or next;   # no IPv6 here
        setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
        next if bind($s, $_->[1]) && listen($s, 1);
        next port unless $!{EADDRNOTAVAIL} || $!{EAFNOSUPPORT};
      }
      print $port;
      exit;
    }
    exit 1' "$1"
}

# wait_until SECONDS COMMAND...: polls; false when the time is over.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}
