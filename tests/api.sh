#!/usr/bin/env bash
# The HTTP API from outside: schemathesis against its OpenAPI document, the sample client of the hosted API's
# documentation in both spellings, and its memory after many hostile requests. The AsyncAPI document too, against
# AsyncAPI's own schema.
#
#   tests/api.sh        needs the weights (IDMILL__ENGINE__DIR) and rendered specimens (IDMILL_TEST_SPECIMENS): tests/run.sh api
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

: "${IDMILL__ENGINE__DIR:?is set by tests/run.sh}" "${IDMILL_TEST_SPECIMENS:?is set by tests/run.sh}"
# Schemathesis' requests, times the phases: with the rounds of the integration tests more than enough to see a leak.
examples=${IDMILL_TEST_EXAMPLES:-400}
# Memory that may remain above where it was after a first run of the same requests, in KiB.
slack_kib=32768

need_debian python3-venv jq
# Node may be here from elsewhere, and Debian's packages of it then cannot be installed.
if ! { command -v node && command -v npm; } >/dev/null; then need_debian nodejs npm; fi
private=$PWD/.private/api
mkdir -p "$private"
# Exact versions: a new check of theirs is to be met when we choose to, not on the day of its release.
python_packages="schemathesis==4.32.5 hypothesis==6.170.15 jsonschema==4.26.0"
node_packages="axios@1.21.1 @asyncapi/specs@6.11.1"
if [ "$(cat "$private/wanted" 2>/dev/null)" != "$python_packages $node_packages" ]; then
  python3 -m venv "$private/venv"
  # shellcheck disable=SC2086  # lists
  thrice "$private/venv/bin/pip" install --quiet --disable-pip-version-check $python_packages
  # shellcheck disable=SC2086
  thrice npm install --silent --no-audit --no-fund --prefix "$private" $node_packages
  printf '%s' "$python_packages $node_packages" >"$private/wanted"
fi
cp tests/clients/sample.cjs "$private/"
cat >"$private/schemathesis.toml" <<'TOML'
[checks.positive_data_acceptance]
# A schema can say that a part is a string, not that the string is an image.
expected-statuses = ["2xx", "400", "413", "415", "422", "429"]
TOML

cargo build --locked --quiet --bins
idmill=${CARGO_TARGET_DIR:-target}/debug/idmill
say "The AsyncAPI document"
"$idmill" schema asyncapi >"$private/asyncapi.json"
"$private/venv/bin/python" - "$private/node_modules/@asyncapi/specs/schemas/3.0.0-without-\$id.json" "$private/asyncapi.json" <<'PYTHON' || fail "AsyncAPI's schema refuses the document"
import json, sys, jsonschema
schema, document = (json.load(open(path)) for path in sys.argv[1:])
errors = [f"{list(error.absolute_path)}: {error.message[:300]}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]
sys.exit("\n".join(errors) or None)
PYTHON

printf 'secret of tests/api.sh' | tr ' ' '-' >"$private/secret"
printf 'key-1 %s\n' "$(cat "$private/secret")" >"$private/keys"
IDMILL__API__LISTEN=127.0.0.1:0 IDMILL__API__KEYS_FILE=$private/keys IDMILL__ENGINE__INSTANCES=1 IDMILL__TELEMETRY__LOG_FORMAT=json \
  "$idmill" serve 2>"$private/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 600); do
  address=$(jq -r 'select(.address).address' "$private/log" 2>/dev/null || true)
  [ -z "$address" ] || break
  kill -0 "$server" 2>/dev/null || { tail_of "$private/log"; fail "the server did not start"; }
  sleep 0.1
done
[ -n "$address" ] || fail "the server does not listen"
token=$("$idmill" token mint --api-key key-1 --secret-file "$private/secret" --valid-for 1h)

say "The sample client, in both spellings"
specimen=$IDMILL_TEST_SPECIMENS/clean/passport-1
for spelling in camel lower; do
  answer=$(node "$private/sample.cjs" "http://$address/ai/v1/ocr" "$token" "$spelling" "$specimen/front.jpg")
  expected=$(jq -r .truth.idNumber "$specimen/truth.json")
  jq -e --arg number "$expected" '.status == 200 and .data.idNumber == $number and (.data | length) == 7' <<<"$answer" >/dev/null ||
    fail "the sample client got another answer than the passport's number"
done

memory_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$server/status"; }
# It keeps a cache where it is started.
schemathesis() {
  (cd "$private" && venv/bin/schemathesis --config-file schemathesis.toml run "http://$address/openapi.json" \
    -H "Authorization: $token" --checks all --max-examples "$1" --generation-deterministic \
    --suppress-health-check too_slow --no-color >schemathesis.log 2>&1) ||
    { tail_of "$private/schemathesis.log" 80; fail "schemathesis found something"; }
}
say "Schemathesis"
schemathesis 50
before=$(memory_kib)
schemathesis "$examples"
grep 'generated,' "$private/schemathesis.log" >&2 || true
after=$(memory_kib)
say "Memory: $before KiB before, $after KiB after"
[ $((after - before)) -lt "$slack_kib" ] || fail "the server kept $((after - before)) KiB"
jq -e 'select(.level == "ERROR")' "$private/log" >/dev/null && fail "the server logged errors: $private/log"

say "Done."
