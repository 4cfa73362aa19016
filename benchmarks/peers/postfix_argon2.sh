#!/bin/bash
# Postfix + Dovecot as the rig's postfix.sh sets them up, with the password hash and the costs that Emailgency uses (argon2id,
# 19 MiB, two passes, one lane): SMTP 127.0.0.1:2625, IMAP 127.0.0.1:2243, so that it can stand beside the other.
BIN=${EMAILGENCY_BIN:-$(dirname "$(command -v emailgency)")}
HASH=$("$BIN/python" -c 'from nacl.pwhash import argon2id
print(argon2id.str(b"benchpass", 2, 19456 << 10).decode())')
. <(sed -e 's/{PLAIN}$PASS/{ARGON2ID}$HASH/' -e 's/:2525/:2625/g; s/:2424/:2524/g; s/port = 2424/port = 2524/; s/port = 2143/port = 2243/' \
    "$(dirname "$0")/postfix.sh")
