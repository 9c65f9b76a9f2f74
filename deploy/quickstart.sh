#!/usr/bin/env bash
# From nothing to a first event: installs what is missing, builds, starts a RabbitMQ, an S3 server and a worker on free
# loopback ports, submits a rendered card and prints its event.
#
#   deploy/quickstart.sh         start, or do it once more: a second run takes seconds
#   deploy/quickstart.sh stop    stop the worker and the servers that were started; the folder can then be deleted
#
# Everything lives in IDMILL_HOME (default .private/quickstart). These variables use servers of yours instead:
#   IDMILL__BROKER__URL or IDMILL__BROKER__URL_FILE     a RabbitMQ (queues get the prefix idmill-quickstart unless
#                                                       IDMILL__TOPOLOGY__PREFIX says otherwise)
#   IDMILL__STORAGE__ENDPOINT                           an S3 server, with IDMILL__STORAGE__BUCKET and either
#                                                       IDMILL__STORAGE__CREDENTIALS_FILE or AWS_ACCESS_KEY_ID and so on
# Any other IDMILL__SECTION__KEY is passed on to the worker as well.
set -euo pipefail
umask 077
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
. "$root/deploy/lib.sh"

home=${IDMILL_HOME:-$root/.private/quickstart}
idmill=${CARGO_TARGET_DIR:-$root/target}/debug/idmill

stop_worker() { [ ! -d "$home" ] || (cd "$home" && end TERM worker.pid "$home"); }

stop() {
  say "Stopping the worker: it finishes what it has in hand"
  stop_worker
  say "Stopping the servers that were started"
  "$root/deploy/servers.sh" broker stop "$home/broker"
  "$root/deploy/servers.sh" store stop "$home/store"
  say "Stopped. Delete $home to forget all jobs and images."
}

# The settings that the servers at hand need, as a file that every later command can be given too.
write_settings() {
  local port
  port=$(free_ports 1)
  {
    echo "# Written by deploy/quickstart.sh. IDMILL__SECTION__KEY variables override it."
    if [ -n "${AMQP_URL:-}" ]; then
      printf '[broker]\nurl = "%s"\n' "$AMQP_URL"
    else
      printf '[topology]\nprefix = "idmill-quickstart"\n'
    fi
    if [ -n "${S3_ENDPOINT:-}" ]; then
      printf '[storage]\nendpoint = "%s"\nregion = "us-east-1"\npath_style = true\ncredentials_file = "%s"\n' "$S3_ENDPOINT" "$home/s3-credentials"
    fi
    printf '[engine]\ndir = "%s"\n' "$weights"
    printf '[worker]\nlisten = "127.0.0.1:%s"\n' "$port"
  } >"$home/idmill.toml"
  worker_port=$port
}

case "${1:-start}" in
start) ;;
stop) stop && exit 0 ;;
*) sed -n '2,14s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

mkdir -p "$home"
home=$(cd "$home" && pwd)

step "Debian packages: what is not installed yet"
need_debian python3 fonts-dejavu-core fonts-liberation fonts-ocr-b
need_rust

step "ONNX Runtime and the weights"
weights=${IDMILL__ENGINE__DIR:-$root/weights}
(umask 022 && "$root/deploy/fetch-models.sh" "$weights")

step "Building idmill (a debug build: minutes at first, then seconds)"
(umask 022 && cd "$root" && cargo build --locked --bin idmill --example specimen)

step "Servers"
if [ -n "${IDMILL__BROKER__URL:-}${IDMILL__BROKER__URL_FILE:-}" ]; then
  say "Using the RabbitMQ that the environment names"
else
  say "Starting a RabbitMQ node in $home/broker"
  "$root/deploy/servers.sh" broker start "$home/broker"
  # shellcheck source=/dev/null
  . "$home/broker/env.sh"
fi
if [ -n "${IDMILL__STORAGE__ENDPOINT:-}" ]; then
  say "Using the S3 server that the environment names"
else
  say "Starting SeaweedFS in $home/store"
  "$root/deploy/servers.sh" store start "$home/store"
  # shellcheck source=/dev/null
  . "$home/store/env.sh"
  printf '%s\n%s\n' "$S3_KEY" "$S3_SECRET" >"$home/s3-credentials"
fi

step "The worker"
stop_worker
write_settings
(
  cd "$home"
  setsid "$idmill" --config "$home/idmill.toml" worker >worker.log 2>&1 </dev/null &
  echo $! >worker.pid
  await 240 $! answers_http "$worker_port" /readyz
) || {
  tail_of "$home/worker.log"
  fail "the worker does not get ready; its log is $home/worker.log"
}
say "It takes jobs; its log is $home/worker.log, its metrics http://127.0.0.1:$worker_port/metrics"

step "A job: front and back of a rendered identity card"
"${idmill%/idmill}/examples/specimen" --out "$home/specimens" --kind td1 --count 1
say "idmill submit $home/specimens/td1-1/front.jpg $home/specimens/td1-1/back.jpg"
"$idmill" --config "$home/idmill.toml" submit "$home/specimens/td1-1/front.jpg" "$home/specimens/td1-1/back.jpg" ||
  fail "the card was not read; the worker's log is $home/worker.log, and deploy/quickstart.sh stop stops everything"

step "Done"
say "Submit your own:  $idmill --config $home/idmill.toml submit FRONT [BACK]"
say "Stop everything:  deploy/quickstart.sh stop"
