#!/usr/bin/env bash
# Does in a real Kubernetes (deploy/cluster.sh) what deploy/README.md says under "In Kubernetes", "Alerts, and what to do" and "Everyday
# work", with the commands as they stand there, and looks at what comes of them. Part of deploy/check.sh --cluster.
#
#   deploy/check-cluster.sh              needs root, the image of deploy/check.sh --image, and half an hour
#   deploy/check-cluster.sh STEP...      only the installation and these steps (check-cluster-steps.sh)
#
# The Kubernetes at hand is 1.20, and the chart asks for 1.30 or later. So it is a copy of the chart that is installed, in which
# this is changed and nothing else:
#   - Chart.yaml lets 1.20 in;
#   - CronJob, PodDisruptionBudget and HorizontalPodAutoscaler are of the versions batch/v1beta1, policy/v1beta1 and autoscaling/v2beta2;
#   - the ports of the services name their protocol, which server-side apply of 1.20 does not fill in;
#   - left out, as 1.20 has them not: matchLabelKeys of the spread over nodes, unhealthyPodEvictionPolicy of the budgets, and the
#     kubelet's sleep before an API's pod stops.
# The custom resources of KEDA and of the Prometheus operator are stored without their operators, and without their schemas, which
# deploy/check.sh holds them against; for KEDA the step `autoscaling` stands in. Everything stays in .private/check-cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/check-cluster
here=$PWD/deploy/check-cluster.sh
readme=$PWD/deploy/README.md
servers=$PWD/deploy/servers.sh
autoscaler=$PWD/deploy/check-autoscaler.py
python=$PWD/.private/check/venv/bin/python
idmill=${CARGO_TARGET_DIR:-$PWD/target}/debug/idmill
specimen=$PWD/.private/image/specimens/td1-1
image=$PWD/.private/image/idmill.tar
# Where pods find this machine's servers (deploy/cluster.sh).
address=10.89.0.1

# told START [PLACEHOLDER VALUE]...: runs the command of deploy/README.md that starts so, as it stands there but for its placeholders.
told() {
  local command
  command=$(grep -oP "(^|\`)\K\Q$1\E[^\`]*" "$readme" | head -n 1)
  [ -n "$command" ] || fail "deploy/README.md has no command that starts with: $1"
  shift
  while [ $# -gt 0 ]; do command=${command//$1/$2} && shift 2; done
  say "\$ $command"
  eval "$command" || { say "it ended with status $?" && return 1; }
}

# quietly COMMAND...: its output only where it fails.
quietly() { "$@" >"$private/last.log" 2>&1 || { tail_of "$private/last.log" && fail "failed: $*"; }; }

# within SECONDS COMMAND...: waits until COMMAND succeeds, or says that it does not.
within() {
  local seconds=$1
  shift
  await "$seconds" $$ "$@" || fail "not within $seconds s: $*"
}

# k ARGUMENT...: kubectl in the release's namespace, for what the check itself wants to know.
k() { kubectl --namespace idmill "$@"; }

# pods [COMPONENT]: a line NAME READY RESTARTS for each pod that nobody has told to stop.
pods() {
  k get pods --selector "app.kubernetes.io/component=${1:-worker}" --output json | jq --raw-output '.items[] | select(.metadata.deletionTimestamp == null) |
    "\(.metadata.name) \(.status.containerStatuses[0].ready // false) \(.status.containerStatuses[0].restartCount // 0)"'
}

n_ready() { pods "${1:-worker}" | grep -c ' true ' || true; }
has_ready() { [ "$(n_ready "${2:-worker}")" -eq "$1" ]; }
never_restarted() { ! pods | grep -v ' 0$' >&2 || fail "a worker was restarted"; }
a_worker() { pods | head -n 1 | cut -d' ' -f1; }

# settled N: so many workers, all of them ready and of the last revision.
settled() { k rollout status deployment/idmill-worker --timeout 240s >/dev/null && within 60 has_ready "$1"; }

# The chart's copy where the README's commands look for it, and the files that they name.
make_desk() {
  rm -rf "$private/desk" && mkdir -p "$private/desk"
  cp -R deploy "$private/desk/"
  cd "$private/desk"
  local templates=deploy/helm/idmill/templates
  sed -i 's/^kubeVersion: .*/kubeVersion: ">=1.20.0-0"/' deploy/helm/idmill/Chart.yaml
  sed -i 's,^apiVersion: batch/v1$,&beta1,; s,^apiVersion: policy/v1$,&beta1,; s,^apiVersion: autoscaling/v2$,&beta2,' "$templates"/*.yaml
  sed -i '/unhealthyPodEvictionPolicy: /d' "$templates/disruption.yaml"
  sed -i '/matchLabelKeys: /d' "$templates/_helpers.tpl"
  sed -i 's|{name: http, port: |{protocol: TCP, name: http, port: |' "$templates/worker.yaml" "$templates/api.yaml"
  sed -i '/^ *lifecycle:$/,/^ *sleep: /d' "$templates/api.yaml"
  write_urls
  printf 'amqp://idmill:wrong@%s:5672/%%2f\n' "$address" >wrong-url
  printf '%s\n%s\n' "$S3_KEY" "$S3_SECRET" >credentials
  echo "demo 0123456789abcdef0123456789abcdef" >keys
  write_values values.yaml
}

# The files that the README's commands make secrets of, with the password that the broker has now.
write_urls() {
  printf 'amqp://idmill:%s@%s:5672/%%2f\n' "$(cat "$private/broker/password.txt")" "$address" >broker-url
  printf 'http://idmill:%s@%s:15672/%%2f\n' "$(cat "$private/broker/password.txt")" "$address" >management-url
}

# write_values FILE [JSON]: the README's example, with this machine's image and servers, and half a core for each worker, as two nodes of
# two cores have to do; and the JSON over it.
write_values() {
  "$python" - "$readme" "$address" "${2:-{\}}" >"$1" <<'PYTHON'
import json, sys, yaml
readme, address, more = sys.argv[1:]

def over(values, others):
    for key, value in others.items():
        values[key] = over(values.get(key) or {}, value) if isinstance(value, dict) else value
    return values

example = open(readme).read().split("A `values.yaml` such as\n\n```yaml\n")[1].split("```")[0]
values = yaml.safe_load(example.replace("REGISTRY", "registry.example"))
over(values, {
    "secrets": {"s3Credentials": {"name": "idmill-s3"}},
    "settings": {"storage": {"endpoint": f"http://{address}:8333", "region": "us-east-1", "bucket": "idmill", "path_style": True},
                 # So that a job is given up within seconds.
                 "retry": {"delays": ["1s", "2s"]}, "topology": {"allowed_reply_exchanges": ["elsewhere"]}},
    "worker": {"resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}},
})
yaml.safe_dump(over(values, json.loads(more)), sys.stdout)
PYTHON
}

# The kinds of the two operators, for the API server to store.
make_kinds() {
  local kind group version names
  while read -r kind group version; do
    names=${kind,,}
    case "$names" in *y) names=${names%y}ies ;; *) names+=s ;; esac
    [ "$kind" != TriggerAuthentication ] || names=triggerauthentications
    kubectl create --filename=- >/dev/null <<YAML
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $names.$group}
spec:
  group: $group
  scope: Namespaced
  names: {kind: $kind, listKind: ${kind}List, plural: $names, singular: ${kind,,}}
  versions:
    - name: $version
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
YAML
  done <<'KINDS'
ScaledObject keda.sh v1alpha1
TriggerAuthentication keda.sh v1alpha1
ServiceMonitor monitoring.coreos.com v1
PrometheusRule monitoring.coreos.com v1
KINDS
  kubectl wait --for condition=Established crd --all --timeout 30s >/dev/null
}

# RabbitMQ and S3 on this machine's side, at ports that pods can be told.
start_servers() {
  rm -rf "$private/broker" "$private/store"
  mkdir -p "$private/broker"
  echo '[rabbitmq_management].' >"$private/broker/enabled_plugins"
  "$servers" broker start "$private/broker"
  "$servers" store start "$private/store"
  # shellcheck source=/dev/null
  . "$private/broker/env.sh" && . "$private/store/env.sh"
  echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
  local from to
  while read -r from to; do
    for chain in PREROUTING OUTPUT; do
      iptables --table nat --append "$chain" --destination "$address" --protocol tcp --dport "$from" --jump DNAT --to-destination "127.0.0.1:$to"
    done
  done <<PORTS
5672 $(cut -d' ' -f1 "$private/broker/ports.txt")
15672 ${MANAGEMENT_URL##*:}
8333 ${S3_ENDPOINT##*:}
PORTS
  export IDMILL__BROKER__URL=$AMQP_URL IDMILL__STORAGE__ENDPOINT=$S3_ENDPOINT IDMILL__STORAGE__REGION=us-east-1 IDMILL__STORAGE__PATH_STYLE=true
  export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
}

management() { curl -sS --fail-with-body -u "idmill:$(cat "$private/broker/password.txt")" -H 'Content-Type: application/json' "$@"; }

# The consumer's queue, as deploy/README.md makes it.
bind_events() {
  management -X PUT "$MANAGEMENT_URL/api/queues/%2f/events" -d '{"durable": true, "arguments": {"x-queue-type": "quorum"}}'
  management -X POST "$MANAGEMENT_URL/api/bindings/%2f/e/idmill.events/q/events" -d '{"routing_key": "document.*"}' >/dev/null
}

# take_events: moves what is in the consumer's queue to the file events, an id of a job a line.
take_events() {
  management -X POST "$MANAGEMENT_URL/api/queues/%2f/events/get" -d '{"count": 1000, "ackmode": "ack_requeue_false", "encoding": "auto"}' |
    jq --raw-output '.[].payload | fromjson | "\(.subject) \(.type)"' >>"$private/events"
}

# send NAME N: so many jobs, about one a second, that nobody waits for.
send() {
  local job
  for ((job = 0; job < $2; job++)); do
    "$idmill" submit --no-wait --id "$1-$job" "$specimen/front.jpg" "$specimen/back.jpg" >/dev/null 2>"$private/send.log" || echo "$1-$job" >>"$private/unsent"
    sleep 1
  done
}

has_events() { take_events && [ "$(grep -c "^$1-[0-9]* idmill.document.read.v1$" "$private/events")" -ge "$2" ]; }

# each_once NAME N: every job of that name has its event, and none has two.
each_once() {
  within 240 has_events "$1" "$2"
  sleep 5
  take_events
  [ "$(grep -c "^$1-" "$private/events")" -eq "$2" ] || fail "$(grep -c "^$1-" "$private/events") events for $2 jobs"
  [ "$(grep "^$1-" "$private/events" | sort -u | wc -l)" -eq "$2" ] || fail "an event came twice"
}

# reads: a document of two sides goes in, and its event says what is printed on it.
reads() {
  local number
  number=$("$idmill" submit --timeout 2m "$specimen/front.jpg" "$specimen/back.jpg" 2>"$private/submit.log" | jq --raw-output .data.fields.idNumber) ||
    { tail_of "$private/submit.log" && fail "the document was not read"; }
  [ "$number" = "$(jq --raw-output .truth.idNumber "$specimen/truth.json")" ] || fail "the event has another number than the card"
}

# How each worker ended that was told to stop since the watch began: a line NAME STATUS. The kubelet of 1.20 does not say, its containerd does.
endings() {
  jq --raw-output '.object | select(.metadata.deletionTimestamp != null and .metadata.labels["app.kubernetes.io/component"] == "worker") | .metadata.name as $pod |
    .status.containerStatuses[]?.containerID // empty | "\($pod) \(ltrimstr("containerd://"))"' "$private/watched" 2>/dev/null | sort -u |
    while read -r pod container; do
      sed -n "s,^.* /tasks/exit \({.*\"id\":\"$container\".*}\)$,\1,p" "$private"/exits-* | jq --raw-output --arg pod "$pod" '"\($pod) \(.exit_status // 0)"'
    done
}

# ended_well N: so many workers were stopped, each by itself before its grace was over. The last may still be draining.
ended_well() {
  within 180 has_endings "$1"
  ! endings | grep -v ' 0$' >&2 || fail "a worker did not end by itself"
}

has_endings() { [ "$(endings | wc -l)" -ge "$1" ]; }

# shellcheck source=deploy/check-cluster-steps.sh
. deploy/check-cluster-steps.sh

# What the cluster knew at the end, for whoever looks for the cause of a failure.
leave_word() {
  {
    kubectl get events --all-namespaces
    k get pods --output yaml
    k logs --selector app.kubernetes.io/name=idmill --prefix --tail 50
  } >"$private/cluster.log" 2>&1 || true
}

run() {
  local started=$SECONDS
  set -E
  trap 'say "ended by: $BASH_COMMAND"' ERR
  trap leave_word EXIT
  quietly start_servers
  make_desk
  : >"$private/events" && : >"$private/unsent"
  for node in 1 2; do
    ctr --address "/run/cluster/node-$node.sock" --namespace k8s.io images import "$image" >/dev/null
    for tag in 0.1.0 0.1.1; do
      ctr --address "/run/cluster/node-$node.sock" --namespace k8s.io images tag localhost/idmill:check "registry.example/idmill:$tag" >/dev/null
    done
  done
  make_kinds
  say "Kubernetes $(kubectl version --output json 2>/dev/null | jq --raw-output .serverVersion.gitVersion), kubectl $(kubectl version --client --output json | jq --raw-output .clientVersion.gitVersion), helm $(helm version --short)"
  for each in install "$@"; do
    step "$each"
    "step_$each"
  done
  say "The cluster's part took $((SECONDS - started)) s"
}

if [ "${1:-}" = --run ]; then
  shift
  run "$@"
  exit 0
fi

[ "$(id -u)" -eq 0 ] || fail "this part needs root: it makes containers"
for made in "$image" "$specimen" .private/check/helm .private/check/venv; do
  [ -e "$made" ] || fail "run deploy/check.sh --image, which builds the image and installs what this needs"
done
need_debian curl jq
need_rust
mkdir -p "$private"
step "Kubernetes"
deploy/cluster.sh build
cargo build --locked --quiet --bin idmill
# Without a network nothing can be fetched: this installs the two servers.
"$servers" broker start "$private/broker" && "$servers" broker kill "$private/broker"
"$servers" store start "$private/store" && "$servers" store kill "$private/store"
[ $# -gt 0 ] || set -- operate outage update mistakes rotate pause_work drain autoscaling everything uninstall
deploy/cluster.sh run "$here" --run "$@"
