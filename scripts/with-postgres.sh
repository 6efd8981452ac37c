#!/bin/sh
# Runs a command with a throw-away PostgreSQL cluster at hand, and returns the command's exit code:
#
#     scripts/with-postgres.sh cargo nextest run
#
# The command finds a superuser's URL in WAAS_TEST_POSTGRES. The cluster lives in a temporary folder, listens on
# 127.0.0.1 only, and is gone when the command ends, however it ends. Run by root, the server runs as user postgres,
# since PostgreSQL refuses to run as root.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: $0 COMMAND [ARGUMENT...]" >&2
    exit 2
fi

# The newest server programs: those of Debian's layout, else those on the path.
bin=
for candidate in /usr/lib/postgresql/*/bin; do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
        bin=$candidate
    fi
done
if [ -z "$bin" ]; then
    if command -v initdb >/dev/null 2>&1 && command -v pg_ctl >/dev/null 2>&1; then
        bin=$(dirname "$(command -v initdb)")
    else
        echo "PostgreSQL's server programs (initdb, pg_ctl) are missing: install postgresql (Debian, Ubuntu)," >&2
        echo "postgresql-server (Fedora), or put them on the PATH." >&2
        exit 1
    fi
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/waas-comuni-postgres.XXXXXX")
if [ "$(id -u)" -eq 0 ]; then
    if ! id postgres >/dev/null 2>&1; then
        echo "run by root, this needs a user named postgres to run the server as" >&2
        rmdir "$folder"
        exit 1
    fi
    chown postgres "$folder"
    as_server() { (cd "$folder" && runuser -u postgres -- "$@"); }
else
    as_server() { (cd "$folder" && "$@"); }
fi

child=
# shellcheck disable=SC2317 # it is reached through the traps
stop() {
    code=$?
    trap - EXIT HUP INT TERM
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    as_server "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
    exit "$code"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if ! as_server "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C -N >"$folder/initdb.log" 2>&1
then
    cat "$folder/initdb.log" >&2
    exit 1
fi

# Its own settings, not the machine's: many tests connect at once; a crash of the machine costs nothing here, but
# commits keep waiting for the disk, because that wait is what the tests of concurrency are about.
cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = ${WAAS_POSTGRES_BUFFERS:-128MB}
wal_level = minimal
max_wal_senders = 0
max_wal_size = ${WAAS_POSTGRES_WAL:-4GB}
checkpoint_timeout = 1h
log_min_messages = fatal
CONF

# A free port is one on which the server starts: asking first and binding later would race with others.
attempt=0
while :; do
    port=$((20000 + ($(od -An -N2 -tu2 /dev/urandom) % 40000)))
    if as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -o "-p $port" -w -t 60 start >/dev/null 2>&1
    then
        break
    fi
    attempt=$((attempt + 1))
    if [ "$attempt" -ge 10 ]; then
        cat "$folder/server.log" >&2
        exit 1
    fi
done

WAAS_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
export WAAS_TEST_POSTGRES

# In the background, so that a signal to this script is acted upon at once and not when the command ends.
"$@" <&0 &
child=$!
code=0
wait "$child" || code=$?
child=
exit "$code"
