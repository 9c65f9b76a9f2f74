#!/usr/bin/env bash
# All checks and all tests, with everything that they need: Debian packages, weights, a RabbitMQ and an S3 server.
#
#   tests/run.sh [STEP...]     steps: format lint docs unit instructions integration faults api deploy quickstart; all of them if none is named
#
# IDMILL_TEST_BROKER=4.0 or 4.3 runs the tests on that RabbitMQ instead of the machine's own.
#
# Needs Rust, and apt-get where something is missing. Whatever it starts lives in .private/ on free loopback ports and is
# stopped at the end. A server that does not start is a failure: no test is ever skipped for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/tests
# An outer setting would reach the tests' workers and the unit tests of the settings.
for name in $(compgen -v IDMILL__ || true); do unset "$name"; done

# fetch_rotel: the OTLP receiver that the traces are tested with is one program, in a Python package of its own.
fetch_rotel() {
  local platform sum
  export IDMILL_TEST_ROTEL=$PWD/.private/tools/rotel
  case "$(uname -m)" in
  x86_64) platform=manylinux_2_34_x86_64 sum=2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7 ;;
  aarch64) platform=manylinux_2_34_aarch64 sum=4eb01f9e5d228e4086f63e16cf1d0fa6e92b724bde51f120932a742acec5b0ba ;;
  *) fail "no rotel package is known for $(uname -m)" ;;
  esac
  [ -x "$IDMILL_TEST_ROTEL" ] || fetch_program "$IDMILL_TEST_ROTEL" rotel==0.0.1a15 rotel/rotel-agent "$platform" "$sum"
  # It may be given processors written in Python, and asks for that library where nobody gives it any, too.
  "$IDMILL_TEST_ROTEL" --version >/dev/null 2>&1 || need_debian libpython3.11
  "$IDMILL_TEST_ROTEL" --version >/dev/null || fail "the OTLP receiver that traces are tested with does not run: $IDMILL_TEST_ROTEL"
}

# Servers, weights and specimens, once.
set_up() {
  step "Setting up"
  need_debian python3 openssl fonts-dejavu-core fonts-liberation fonts-ocr-b
  deploy/fetch-models.sh "${IDMILL_WEIGHTS:-weights}"
  export IDMILL_TEST_SPECIMENS=$private/specimens
  say "Starting RabbitMQ and SeaweedFS in $private"
  # What an earlier run that was killed left behind: jobs in queues would reach this run's workers.
  stop_servers
  rm -rf "$private"
  deploy/servers.sh broker start "$private/broker"
  deploy/servers.sh store start "$private/store"
  say "Rendering specimens"
  for distortion in none mild hard; do
    cargo run --locked --quiet --example specimen -- --out "$IDMILL_TEST_SPECIMENS/${distortion/none/clean}" --distort "$distortion"
  done
  # shellcheck source=/dev/null
  . "$private/broker/env.sh" && . "$private/store/env.sh"
  IDMILL__ENGINE__DIR=$(cd "${IDMILL_WEIGHTS:-weights}" && pwd)
  export IDMILL__ENGINE__DIR
  # The engine of the tests' own process; idmill turns it off by itself.
  export ORT_DISABLE_TELEMETRY=1
  export IDMILL_TEST_AMQP_URL=$AMQP_URL IDMILL_TEST_S3_ENDPOINT=$S3_ENDPOINT IDMILL_TEST_S3_KEY=$S3_KEY IDMILL_TEST_S3_SECRET=$S3_SECRET
}

stop_servers() {
  IDMILL_HOME=$private/quickstart deploy/quickstart.sh stop >/dev/null 2>&1 || true
  deploy/servers.sh broker kill "$private/broker" || true
  deploy/servers.sh store kill "$private/store" || true
}

run_format() { cargo fmt --check; }

run_lint() {
  need_debian shellcheck
  cargo clippy --locked --all-targets -- -D warnings && shellcheck -x deploy/*.sh tests/*.sh benches/*.sh benches/*/*.sh .ci/run
}

run_unit() { cargo test --locked --lib --bins --examples; }

# Fails where the paths that every document takes need more instructions than they did.
run_instructions() { tests/instructions.sh; }

run_integration() {
  # The page is tried in a browser, and schemas are checked by somebody else's validator.
  need_debian chromium chromium-driver python3-jsonschema
  fetch_rotel
  cargo test --locked --test it
}

# A short fault campaign; the long ones are a command of their own.
run_faults() { tests/faults.sh --jobs 1000 --faults 20; }

# The HTTP API with other people's clients: schemathesis, and Node with axios.
run_api() { tests/api.sh; }

# Dockerfile, compose file, alerts, dashboard and chart.
run_deploy() { deploy/check.sh; }

run_docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items --quiet; }

# The event that the quick start prints has to carry what is printed on the card.
run_quickstart() {
  local home=$private/quickstart
  IDMILL_HOME=$home deploy/quickstart.sh >"$private/event.json" &&
    python3 - "$private/event.json" "$home/specimens/td1-1/truth.json" <<'PYTHON' && IDMILL_HOME=$home deploy/quickstart.sh stop
import json, sys
event, document = (json.load(open(path)) for path in sys.argv[1:])
for key in ("idType", "idNumber", "name", "dateOfBirth", "gender"):
    read, printed = event["data"]["fields"][key], document["truth"][key]
    if read != printed:
        sys.exit(f"the event says {key} is {read!r}, the card {printed!r}")
PYTHON
}

all=(format lint docs unit instructions integration faults api deploy quickstart)
steps=("$@")
[ $# -gt 0 ] || steps=("${all[@]}")
for name in "${steps[@]}"; do
  declare -F "run_$name" >/dev/null || fail "no such step: $name; there are: ${all[*]}"
done

trap stop_servers EXIT
set_up
failed=()
for name in "${steps[@]}"; do
  step "$name"
  "run_$name" || failed+=("$name")
done

step "Summary: ${#steps[@]} steps"
for name in "${steps[@]}"; do
  case " ${failed[*]} " in *" $name "*) say "  failed  $name" ;; *) say "  passed  $name" ;; esac
done
[ ${#failed[@]} -eq 0 ]
