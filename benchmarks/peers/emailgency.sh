#!/bin/bash
# Emailgency: SMTP 127.0.0.1:2530, IMAP 127.0.0.1:2153; relay.test goes to the sink on 20025.
# Runs beside the load rig's own peers. EMAILGENCY_BIN: folder of twistd, emailgency and python (default: from PATH).
. "$(dirname "$0")/_lib.sh"
BIN=${EMAILGENCY_BIN:-$(dirname "$(command -v emailgency)")}
SOURCE=${EMAILGENCY_SOURCE:-}
[ -n "$SOURCE" ] && export PYTHONPATH=$SOURCE
ACCOUNTS=${EMAILGENCY_ACCOUNTS:-$BENCH/peers/emailgency_accounts.py}

command_line() { "$BIN/emailgency" --data "$RUN/data" "$@"; }

setup() {
    cat > "$RUN/settings.toml" <<E2
data = "$RUN/data"
host_name = "mx.bench.test"
service_domain = "emailgency.test"

[listen]
smtp = ["127.0.0.1:2530"]
submission = []
submissions = []
imap = ["127.0.0.1:2153"]
imaps = []
pop3 = []
pop3s = []
http = []
https = []
local = []

[smtp.connections]
total = 8000

[imap]
clear_login = true
mailbox_connections = 10000
folders = {}

[imap.connections]
total = 8000

[egress]
networks = ["127.0.0.0/8"]
ports = [20025]
E2
    start
    for i in $(seq 100); do command_line customer list >/dev/null 2>&1 && break; sleep 0.1; done
    command_line customer add bench.test --relay none --plan premium
    command_line customer add relay.test --relay on --plan premium --smtp-transport 127.0.0.1:20025
    { echo address,type
      for i in $(seq 0 $((USERS - 1))); do echo "u$i@bench.test,mailbox"; done
      echo "big@bench.test,mailbox"
      for i in $(seq 0 49); do echo "r$i@relay.test,mailbox"; done; } > "$RUN/accounts.csv"
    command_line import "$RUN/accounts.csv"
    stop
    "$BIN/python" "$ACCOUNTS" "$RUN/data/journal" "$PASS"
}
start() {
    alive emailgency && return 0
    cd "$RUN" || exit 1
    setsid "$BIN/twistd" --pidfile= --nodaemon emailgency --settings "$RUN/settings.toml" >"$RUN/log" 2>&1 < /dev/null &
    save_pid $! emailgency
}
stop() { end_pid emailgency; }
flush() { command_line pending flush relay.test --yes; }
main "$@"
