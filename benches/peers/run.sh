#!/usr/bin/env bash
# The same job by idmill and by what people would write instead: quorum queue -> two S3 gets -> HTTP POST with both
# images as base64 -> event published with confirm -> acknowledged. RabbitMQ and SeaweedFS are real; the OCR service
# answers at once, or after 200 ms. Prints JSON lines, for table.py.
#
#   benches/peers/run.sh [ROUNDS]      rounds in which every worker has its turn (default 5)
#
# The worker has one core to itself, everything else the other one. A job's price is the worker's own CPU time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh
rounds=${1:-5}
jobs=${IDMILL_BENCH_JOBS:-600}
private=$PWD/.private/peers
here=$PWD/benches/peers
target=${CARGO_TARGET_DIR:-target}/release
workers=(idmill bare aio-pika celery node)

need_debian python3-venv
if ! { command -v node && command -v npm; } >/dev/null; then need_debian nodejs npm; fi
mkdir -p "$private"
[ -x "$private/venv/bin/python" ] || python3 -m venv "$private/venv"
"$private/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
cp "$here/package.json" "$here/node_worker.mjs" "$private/"
[ -d "$private/node_modules/amqplib" ] || npm install --silent --no-audit --no-fund --prefix "$private"
[ -n "${IDMILL_BENCH_BUILT:-}" ] || cargo build --locked --release --bin idmill --example bare_loop

stop_servers() {
  deploy/servers.sh broker kill "$private/broker" || true
  deploy/servers.sh store kill "$private/store" || true
}
trap stop_servers EXIT
worker_core=() other_core=()
if [ "$(nproc)" -gt 1 ]; then worker_core=(taskset -c 0) other_core=(taskset -c 1); fi
"${other_core[@]}" deploy/servers.sh broker start "$private/broker"
"${other_core[@]}" deploy/servers.sh store start "$private/store"
# shellcheck source=/dev/null
. "$private/broker/env.sh" && . "$private/store/env.sh"
export AMQP_URL S3_ENDPOINT S3_KEY S3_SECRET PYTHONPATH=$here

for round in $(seq "$rounds"); do
  for name in "${workers[@]}"; do
    options=()
    case $name in
    idmill) command=("$target/idmill" worker) ;;
    bare) command=("$target/examples/bare_loop") ;;
    aio-pika) command=("$private/venv/bin/python" "$here/aio_pika_worker.py") ;;
    celery)
      options=(--celery)
      command=(sh -c "exec $private/venv/bin/celery -A celery_worker worker --queues \"\$QUEUE\" --concurrency \"\$CONCURRENCY\" --loglevel WARNING --without-gossip --without-mingle --without-heartbeat")
      ;;
    node) command=(node "$private/node_worker.mjs") ;;
    esac
    # Memory repeats from round to round; moving 1.3 GB through every worker once is enough.
    [ "$round" -gt 1 ] || options+=(--large)
    say "Round $round of $rounds: $name"
    "${other_core[@]}" "$private/venv/bin/python" "$here/stage.py" --name "$name" --jobs "$jobs" "${options[@]}" -- "${worker_core[@]}" "${command[@]}"
  done
done
