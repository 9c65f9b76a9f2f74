#!/usr/bin/env bash
# Every figure of the README's section on speed, in one go, as Markdown on stdout.
#
#   benches/run.sh [PART...]     parts: peers engines cores api start memory steps; all of them if none is named
#
# IDMILL_BENCH_ROUNDS (default 5) is how often everything that is compared has its turn; figures are medians, and ratios
# are taken within a round. Prices are CPU time of the process under test, which other processes on the machine change
# little; times on the clock they do change. Needs Rust, and apt-get where something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh
# An outer setting would reach the workers.
for name in $(compgen -v IDMILL__ || true); do unset "$name"; done

rounds=${IDMILL_BENCH_ROUNDS:-5}
private=$PWD/.private/benches
target=${CARGO_TARGET_DIR:-target}/release
peers=$PWD/.private/peers
export IDMILL_BENCH_BUILT=yes
core=() ; [ "$(nproc)" -eq 1 ] || core=(taskset -c 0)

all=(peers engines cores api start memory steps)
parts=("$@")
[ $# -gt 0 ] || parts=("${all[@]}")
for part in "${parts[@]}"; do
  declare -p all | grep -qw "$part" || fail "no such part: $part; there are: ${all[*]}"
done
wanted() { [[ " ${parts[*]} " == *" $1 "* ]]; }

step "Setting up"
need_debian python3 python3-venv jq fonts-dejavu-core fonts-liberation fonts-ocr-b
deploy/fetch-models.sh "${IDMILL_WEIGHTS:-weights}"
IDMILL__ENGINE__DIR=$(cd "${IDMILL_WEIGHTS:-weights}" && pwd)
# No engine here tells its maker of the runs; idmill turns that off by itself.
export ORT_DISABLE_TELEMETRY=1
export IDMILL__ENGINE__DIR IDMILL_TEST_SPECIMENS=$private/specimens
cargo build --locked --release --bin idmill --examples --benches
mkdir -p "$private"
[ -d "$private/specimens/clean" ] || cargo run --locked --quiet --release --example specimen -- --out "$private/specimens/clean"

echo "Measured $(date -u +%F) with idmill $(git describe --always --dirty 2>/dev/null || echo unknown), $(rustc -V | cut -d' ' -f1,2)," \
  "on $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1048576)) GiB," \
  "load $(cut -d' ' -f1 /proc/loadavg) at the start; $rounds rounds."

if wanted peers; then
  step "Workers"
  benches/peers/run.sh "$rounds" | tee "$private/peers.jsonl" | python3 benches/peers/table.py
fi

if wanted engines; then
  step "Engines"
  need_debian tesseract-ocr
  venv=$PWD/.private/engines/venv
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r benches/engines/requirements.txt
  rm -rf "$private/engines" && mkdir -p "$private/engines"
  for round in $(seq "$rounds"); do
    for engine in idmill rapidocr-tuned rapidocr tesseract; do
      say "Round $round of $rounds: $engine"
      reader=("$venv/bin/python" benches/engines/lines.py "$engine")
      [ "$engine" != idmill ] || reader=("$target/examples/idmill_lines")
      "${core[@]}" "${reader[@]}" "$private/specimens/clean" >"$private/engines/$engine.$round.jsonl"
    done
  done
  python3 benches/engines/table.py "$private/specimens/clean" "$private/engines"
fi

stop_servers() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
  deploy/servers.sh broker kill "$peers/broker" || true
  deploy/servers.sh store kill "$peers/store" || true
}
trap stop_servers EXIT
start_servers() {
  mkdir -p "$peers"
  deploy/servers.sh broker start "$peers/broker"
  deploy/servers.sh store start "$peers/store"
  # shellcheck source=/dev/null
  . "$peers/broker/env.sh" && . "$peers/store/env.sh"
  export AMQP_URL S3_ENDPOINT S3_KEY S3_SECRET
  [ -x "$peers/venv/bin/python" ] || python3 -m venv "$peers/venv"
  "$peers/venv/bin/pip" install -q --disable-pip-version-check -r benches/peers/requirements.txt
}

if wanted cores; then
  step "Two cores against one"
  start_servers
  for round in $(seq "$rounds"); do
    for cores in 0 0,1; do
      say "Round $round of $rounds: cores $cores"
      "$peers/venv/bin/python" benches/peers/stage.py --name idmill-embedded --jobs 42 --specimens "$private/specimens/clean" -- \
        taskset -c "$cores" "$target/idmill" worker | jq -c --arg cores "$cores" '. + {cores: $cores}'
    done
  done >"$private/cores.jsonl"
  jq -rs 'def median: sort | .[length / 2 | floor];
    [.[] | select(.cores == "0")] as $one | [.[] | select(.cores == "0,1")] as $two |
    "\n| worker with the engine inside | documents/s | CPU ms a document | cores busy | idle MiB | peak MiB |\n|---|---:|---:|---:|---:|---:|",
    ([["one core", $one], ["two cores", $two]][] | .[0] as $name | .[1] |
      "| \($name) | \(map(.n_jobs / .wall_s) | median * 100 | round / 100) | \(map(.cpu_s / .n_jobs) | median * 1000 | round) | \(map(.cpu_s / .wall_s) | median * 100 | round / 100) | \(map(.idle_kib) | median / 1024 | round) | \(map(.peak_kib) | max / 1024 | round) |"),
    "\nTwo cores do \([range(0; $one | length) | ($two[.].n_jobs / $two[.].wall_s) / ($one[.].n_jobs / $one[.].wall_s)] | median * 100 | round / 100) times the work of one."' \
    "$private/cores.jsonl"
  # The control: the same engine with neither broker nor store nor load generator on the two cores.
  stop_servers
  for round in $(seq "$rounds"); do
    for cores in 0 0,1; do
      say "Round $round of $rounds: the engine alone on cores $cores"
      started=$EPOCHREALTIME
      taskset -c "$cores" "$target/idmill" scan --batch "$private/specimens/clean" >/dev/null
      echo "$started $EPOCHREALTIME"
    done
  done | awk '{ took[NR % 2] = $2 - $1 } NR % 2 == 0 { print took[1] / took[0] }' | sort -n |
    awk '{ ratio[NR] = $1 } END { printf "The engine alone, on the same documents and its start included: %.2f times.\n", ratio[int(NR / 2) + 1] }'
fi

if wanted api; then
  step "The API's server"
  IDMILL__API__LISTEN=127.0.0.1:0 IDMILL__API__OPEN=true IDMILL__ENGINE__INSTANCES=1 IDMILL__TELEMETRY__LOG_FORMAT=json \
    "$target/idmill" serve 2>"$private/api.log" &
  server=$!
  answers() { address=$(jq -r 'select(.address).address' "$private/api.log" 2>/dev/null) && [ -n "$address" ]; }
  await 60 "$server" answers || fail "the server does not start: $private/api.log"
  for round in $(seq "$rounds"); do
    say "Round $round of $rounds"
    python3 benches/api.py "$address" "$private/specimens/clean/td1-1" 15
  done | jq -rs 'def median: sort | .[length / 2 | floor];
    "\nThe API for two images of 500 KB: the engine takes \(map(.engine_ms) | median) ms, everything else \(map(.rest_ms) | median) ms at the median, of which \(map(.receive_ms) | median) ms receiving and \(map(.parse_ms) | median) ms JSON and base64."'
  kill "$server"
  server=
fi

if wanted start; then
  step "Start to first job"
  start_servers
  printf '%s\n%s\n' "$S3_KEY" "$S3_SECRET" >"$private/s3-credentials"
  IDMILL__BROKER__URL=$AMQP_URL IDMILL__STORAGE__ENDPOINT=$S3_ENDPOINT IDMILL__STORAGE__PATH_STYLE=true \
    IDMILL__STORAGE__CREDENTIALS_FILE=$private/s3-credentials "$peers/venv/bin/python" benches/start.py 7 "$target/idmill" worker |
    jq -r '"\nFrom the start of the worker with the engine inside to its first job: \(.wall_ms[3]) ms (of 7 runs \(.wall_ms[0]) to \(.wall_ms[6])), of which \(.cpu_ms[3]) ms are CPU time over all cores."'
fi

if wanted memory; then
  step "Memory of the remote reader"
  echo
  cargo bench --locked --quiet --bench remote_memory
fi

if wanted steps; then
  step "Steps"
  printf '\n| step | time |\n|---|---:|\n'
  cargo bench --locked --quiet --bench steps -- --noplot 2>/dev/null |
    awk '/time: / { sub(/ *time: */, "\t"); split($0, part, "\t"); name = part[1] == "" ? last : part[1]; split(part[2], t, " "); printf "| %s | %s %s |\n", name, substr(t[3], 1), t[4] } { last = $0 }'
fi
