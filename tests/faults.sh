#!/usr/bin/env bash
# The fault campaign: jobs flow while workers and broker are killed and links break, and a checker reads back what became
# of every job. Prints one line and ends with 1 if anything was lost or wrong.
#
#   tests/faults.sh [--jobs N] [--faults M] [--seed S] [--broker 4.0|4.3] [--cluster] [--workers N] [--json]
#
# Without --broker the RabbitMQ of this machine's Debian package is used (3.10 on bookworm). Starts and stops servers of its
# own on free loopback ports; the workers' logs of the last run stay in .private/faults.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/faults
for name in $(compgen -v IDMILL__ || true); do unset "$name"; done
options=()
while [ $# -gt 0 ]; do
  case "$1" in
  --broker)
    [ $# -gt 1 ] || fail "--broker needs a version: 4.0 or 4.3"
    [ "$2" = 3.10 ] || export IDMILL_TEST_BROKER=$2
    shift 2
    ;;
  *) options+=("$1") && shift ;;
  esac
done

need_rust
cargo build --locked --quiet --bins --test faults
deploy/servers.sh store kill "$private/store" || true
rm -rf "$private"
trap 'deploy/servers.sh store kill "$private/store" || true' EXIT
deploy/servers.sh store start "$private/store"
# shellcheck source=/dev/null
. "$private/store/env.sh"
export IDMILL_TEST_S3_ENDPOINT=$S3_ENDPOINT IDMILL_TEST_S3_KEY=$S3_KEY IDMILL_TEST_S3_SECRET=$S3_SECRET
# The documents are read by a stand-in of the hosted API; no engine is opened.
export IDMILL__ENGINE__DIR=$private
export IDMILL_FAULTS_LOGS=$private/logs
cargo test --locked --quiet --test faults -- "${options[@]}"
