# shellcheck shell=bash
# Sourced by deploy/check-cluster.sh: what an operator does with a release, one function for each part of deploy/README.md, and what is
# then seen. Each leaves two ready workers behind.
# shellcheck disable=SC2154  # what stands in that script

# As under "In Kubernetes".
step_install() {
  told 'kubectl create namespace idmill'
  told 'kubectl --namespace idmill create secret generic idmill-broker'
  told 'kubectl --namespace idmill create secret generic idmill-s3'
  told 'kubectl --namespace idmill create secret generic idmill-api'
  # shellcheck disable=SC2016  # as it stands there
  told 'printf %s "$(cat management-url)"'
  told 'helm install idmill'
  told 'kubectl --namespace idmill rollout status' >&2
  settled 2
  never_restarted
  [ "$(k get pods --selector app.kubernetes.io/component=worker --output json | jq --raw-output '.items[].spec.nodeName' | sort -u | wc -l)" -eq 2 ] ||
    fail "both workers are on one node"
  bind_events
  reads
  told 'kubectl --namespace idmill get pods' >&2
}

# "Alerts, and what to do": the function for the shell, the doctor, dead letters, and the commands that say why.
step_operate() {
  local refused
  # shellcheck source=/dev/null
  . <(sed -n '/^idmill() {/,/^}/p' "$readme")
  idmill doctor >"$private/doctor.log"
  tail -n 1 "$private/doctor.log" >&2
  grep -q ', 0 failed$' "$private/doctor.log" || { cat "$private/doctor.log" >&2 && fail "the doctor is not content"; }
  told 'kubectl --namespace idmill exec POD' POD "$(a_worker)" >&2

  echo "I am no image." >"$private/text"
  ! "$idmill" submit --id bad-1 "$private/text" >"$private/event.json" 2>/dev/null || fail "a text was read"
  told 'kubectl --namespace idmill logs --selector' >"$private/failures.log"
  grep -q '"job.id":"bad-1","class":"bad_image"' "$private/failures.log" || { cat "$private/failures.log" >&2 && fail "the log has no line of the job that failed"; }

  # A job that names an exchange which is not there is given up as unavailable. Then the exchange is made, as the reason says.
  refused=$("$idmill" submit --no-wait --id elsewhere-0 "$specimen/front.jpg" "$specimen/back.jpg" 2>/dev/null)
  jq '{properties: {reply_to: "elsewhere", content_type: "application/json"}, routing_key: "idmill.jobs", payload: tojson, payload_encoding: "string"}' <<<"$refused" |
    management "$MANAGEMENT_URL/api/exchanges/%2f/amq.default/publish" --data-binary @- >/dev/null
  within 60 holds dead 2
  told 'idmill dead list --class unavailable' >"$private/dead.log"
  grep -q elsewhere "$private/dead.log" || { cat "$private/dead.log" >&2 && fail "the job without an exchange is not among the dead letters"; }
  management -X PUT "$MANAGEMENT_URL/api/exchanges/%2f/elsewhere" -d '{"type": "topic", "durable": true}'
  management -X POST "$MANAGEMENT_URL/api/bindings/%2f/e/elsewhere/q/events" -d '{"routing_key": "document.*"}' >/dev/null
  told 'idmill dead replay --class unavailable --rate 5' >&2
  within 120 has_events elsewhere 2
  grep -qx 'elsewhere-0 idmill.document.failed.v1' "$private/events" || fail "nobody was told that the job was given up"
  within 30 holds dead 1
  told 'idmill dead drop --yes --class bad_job --older-than 30days' bad_job bad_image '--older-than 30days' '' >&2
  within 30 holds dead 0
}

# holds QUEUE N: whether that queue of idmill's holds so many messages.
holds() { [ "$(management "$MANAGEMENT_URL/api/queues/%2f/idmill.$1" | jq '.messages // 0')" -eq "$2" ]; }

# RabbitMQ is killed for longer than liveness would bear: workers are not ready, and nobody restarts them.
step_outage() {
  local before
  before=$(pods | cut -d' ' -f1)
  "$servers" broker kill "$private/broker"
  within 60 has_ready 0
  sleep 75
  ! told 'kubectl --namespace idmill exec POD' POD "$(a_worker)" >"$private/probe.log" 2>&1 || fail "a worker without a broker says that it is ready"
  cat "$private/probe.log" >&2
  "$servers" broker start "$private/broker"
  within 90 has_ready 2
  [ "$before" = "$(pods | cut -d' ' -f1)" ] || fail "other pods are there after an outage"
  never_restarted
  reads
}

# watch_pods: writes down what becomes of every pod and container, until unwatch_pods.
watch_pods() {
  k get pods --watch --output-watch-events --output json >"$private/watched" &
  watchers=($!)
  for node in 1 2; do
    ctr --address "/run/cluster/node-$node.sock" --namespace k8s.io events >"$private/exits-$node" &
    watchers+=($!)
  done
}

unwatch_pods() { kill "${watchers[@]}"; }

# Another version, and back again, while jobs come.
step_update() {
  watch_pods
  send update 60 &
  local sender=$!
  sleep 8
  write_values values.yaml '{"image": {"tag": "0.1.1"}}'
  told 'helm upgrade idmill' >/dev/null
  settled 2
  k get pods --selector app.kubernetes.io/component=worker --output json | jq --exit-status 'all(.items[] | select(.metadata.deletionTimestamp == null);
    .spec.containers[0].image | endswith(":0.1.1"))' >/dev/null || fail "a worker of the old version is left"
  told 'helm rollback idmill --namespace idmill' >/dev/null
  settled 2
  wait "$sender"
  each_once update 60
  ended_well 4
  unwatch_pods
  never_restarted
  write_values values.yaml
}

# An update that would break every worker stops at the first, and is taken back.
step_mistakes() {
  local before killed
  before=$(pods | cut -d' ' -f1)
  k create secret generic idmill-wrong --from-file=url=wrong-url >/dev/null
  write_values values.yaml '{"secrets": {"brokerUrl": {"name": "idmill-wrong"}}}'
  told 'helm upgrade idmill' >/dev/null
  within 60 new_worker "$before" >/dev/null
  ! k rollout status deployment/idmill-worker --timeout 45s >/dev/null 2>&1 || fail "workers with a wrong password replaced those that work"
  told 'kubectl --namespace idmill exec POD' POD "$(new_worker "$before")" >"$private/probe.log" 2>&1 || true
  cat "$private/probe.log" >&2
  still_working "$before"
  told 'helm rollback idmill --namespace idmill' >/dev/null
  settled 2

  write_values values.yaml '{"image": {"tag": "0.1.1"}, "settings": {"topology": {"delivery_limit": 7}}}'
  told 'helm upgrade idmill' >/dev/null
  within 60 crashed "$before"
  told 'kubectl --namespace idmill logs --previous POD' POD "$(new_worker "$before")" | tail -n 1 >"$private/previous.log"
  jq --exit-status '.fields.error // .error | contains("idmill.jobs")' "$private/previous.log" >/dev/null ||
    { cat "$private/previous.log" >&2 && fail "the last line of the crashed worker does not name the queue"; }
  still_working "$before"
  # A worker of before that crashes meanwhile comes back with the settings of before; and without Helm they come back too.
  killed=$(head -n 1 <<<"$before")
  crash "$killed"
  within 120 came_back "$killed"
  told 'kubectl --namespace idmill rollout undo' >/dev/null
  settled 2
  told 'helm rollback idmill --namespace idmill' >/dev/null
  settled 2
  [ "$before" = "$(pods | cut -d' ' -f1)" ] || fail "other pods are there after the update was undone"
  reads
  # Helm minds that the image was set by somebody else, until it is told otherwise.
  write_values values.yaml '{"image": {"tag": "0.1.1"}}'
  ! told 'helm upgrade idmill' >"$private/last.log" 2>&1 || fail "Helm does not mind what kubectl has changed"
  grep -q 'conflict with "kubectl' "$private/last.log" || { tail_of "$private/last.log" && fail "Helm minds something else"; }
  told 'helm upgrade idmill deploy/helm/idmill --namespace idmill --values values.yaml --force-conflicts' >/dev/null
  settled 2
  write_values values.yaml
  told 'helm upgrade idmill' >/dev/null
  settled 2
}

# crash POD: its process is killed, as for want of memory; came_back POD: whether it was started again and takes jobs.
crash() {
  local node container
  read -r node container < <(k get pod "$1" --output json |
    jq --raw-output '"\(.spec.nodeName) \(.status.containerStatuses[0].containerID | ltrimstr("containerd://"))"')
  ctr --address "/run/cluster/$node.sock" --namespace k8s.io tasks kill --signal SIGKILL "$container"
}
came_back() { pods | grep -qx "$1 true 1"; }

# new_worker NAMES: the worker that is none of those; crashed NAMES: whether it was started more than once.
new_worker() { pods | grep -vF "$1" | head -n 1 | cut -d' ' -f1 | grep .; }
crashed() { pods | grep -vF "$1" | grep -qv ' 0$'; }

# still_working NAMES: these pods are ready as before, and a document is read.
still_working() {
  local pod
  for pod in $1; do pods | grep -q "^$pod true 0$" || fail "$pod does not work any more"; done
  reads
}

# The broker's password is another one; the secret is changed, and no pod.
step_rotate() {
  local before
  before=$(pods | cut -d' ' -f1)
  printf 'rotated%s' "$RANDOM" >"$private/broker/password.txt"
  write_urls
  # Exported when the servers were started.
  # shellcheck disable=SC2034
  IDMILL__BROKER__URL="amqp://idmill:$(cat "$private/broker/password.txt")@${AMQP_URL##*@}"
  quietly "$servers" broker ctl "$private/broker" change_password idmill "$(cat "$private/broker/password.txt")"
  told 'kubectl --namespace idmill create secret generic idmill-broker --from-file=url=broker-url --dry-run' >/dev/null
  quietly "$servers" broker ctl "$private/broker" close_all_connections "the password is another one"
  # Long enough that a worker with the old password would no longer be ready. The kubelet brings the new file within a minute or two.
  sleep 20
  within 180 has_ready 2
  [ "$before" = "$(pods | cut -d' ' -f1)" ] || fail "other pods are there after the password was changed"
  never_restarted
  reads
  told 'kubectl --namespace idmill rollout restart' >&2
  settled 2
}

step_pause_work() {
  told 'kubectl --namespace idmill scale deployment/idmill-worker --replicas 0' >/dev/null
  within 180 no_worker
  send pause 4
  within 30 holds jobs 4
  k scale deployment/idmill-worker --replicas 2 >/dev/null
  settled 2
  each_once pause 4
}

no_worker() { [ "$(k get pods --selector app.kubernetes.io/component=worker --output name | wc -l)" -eq 0 ]; }

# Both workers on one node, and that node is drained while jobs come.
step_drain() {
  local sender least=2 now
  told 'kubectl drain NODE' NODE node-1 >/dev/null 2>&1
  settled 2
  quietly kubectl uncordon node-1
  watch_pods
  send drain 40 &
  sender=$!
  told 'kubectl drain NODE' NODE node-2 >"$private/drain.log" 2>&1 &
  local drainer=$!
  while kill -0 "$drainer" 2>/dev/null; do
    now=$(n_ready)
    [ "$now" -ge "$least" ] || least=$now
    sleep 0.5
  done
  wait "$drainer" || { tail_of "$private/drain.log" && fail "the node was not drained"; }
  grep -q "disruption budget" "$private/drain.log" || { tail_of "$private/drain.log" && fail "the budget did not hold the second worker"; }
  [ "$least" -ge 1 ] || fail "no worker was ready while the node was drained"
  wait "$sender"
  each_once drain 40
  ended_well 2
  unwatch_pods
  settled 2
  quietly kubectl uncordon node-2
}

# With KEDA's resource the chart leaves the number of workers to it. What KEDA makes of that resource is made here; the autoscaler is
# Kubernetes' own. Workers come with a full queue, and go one in a grace period, while jobs still come.
step_autoscaling() {
  local job number=300 sender
  write_values values.yaml '{"worker": {"jobBudgetSeconds": 31, "autoscaling": {"enabled": true, "maxReplicas": 3, "managementUrl": {"name": "idmill-management"}}}}'
  told 'helm upgrade idmill' >/dev/null
  settled 1
  start_autoscaler
  watch_pods
  job=$("$idmill" submit --no-wait --id filled-once "$specimen/front.jpg" "$specimen/back.jpg" 2>/dev/null)
  jq -c "range($number)"' as $n | .id = "scaled-\($n)" | {properties: {content_type: "application/json"}, routing_key: "idmill.jobs",
    payload: tojson, payload_encoding: "string"}' <<<"$job" >"$private/bodies"
  while read -r job; do management "$MANAGEMENT_URL/api/exchanges/%2f/amq.default/publish" --data-binary "$job" </dev/null >/dev/null; done <"$private/bodies"
  within 120 has_replicas 3
  rm -f "$private/sending.n" && : >"$private/sending"
  while [ -e "$private/sending" ]; do
    "$idmill" submit --no-wait --id "scaled-$number" "$specimen/front.jpg" "$specimen/back.jpg" >/dev/null 2>"$private/send.log" || exit 1
    echo "$((++number))" >"$private/sending.n"
    sleep 2
  done &
  sender=$!
  # Five minutes after the queue got short the first one goes, and the second a grace period later.
  within 1200 has_replicas 1
  rm "$private/sending"
  wait "$sender" || { tail_of "$private/send.log" && fail "a job was not sent"; }
  each_once scaled "$(cat "$private/sending.n")"
  ended_well 2
  unwatch_pods
  never_restarted
  say "The autoscaler was told (ready, unacknowledged): $(uniq "$private/autoscaler.asked" | paste -sd, | sed 's/,/, /g')"
  k get events --field-selector reason=SuccessfulRescale --output json | jq --raw-output '.items[] | "\(.lastTimestamp) \(.message)"' >&2
  # An operator can stop them there; nobody does it here.
  told 'kubectl --namespace idmill annotate scaledobject' >&2
  [ "$(k get scaledobject idmill-worker --output json | jq --raw-output '.metadata.annotations["autoscaling.keda.sh/paused-replicas"]')" = 0 ] ||
    fail "the annotation is not there"
  quietly k delete hpa keda-hpa-idmill-worker
  write_values values.yaml
  told 'helm upgrade idmill' >/dev/null
  settled 2
}

has_replicas() { [ "$(k get deployment idmill-worker --output json | jq .spec.replicas)" -eq "$1" ]; }

# The metric that KEDA serves, and the autoscaler that it makes of the chart's ScaledObject.
start_autoscaler() {
  rm -f "$private/autoscaler.asked"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=metrics -keyout "$private/metrics.key" -out "$private/metrics.crt" 2>/dev/null
  python3 "$autoscaler" "$private/metrics.crt" "$private/metrics.key" "$address" 6444 "$(cat management-url)" idmill.jobs "$private/autoscaler.asked" \
    2>"$private/autoscaler.log" &
  kubectl create --filename=- >/dev/null <<YAML
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: default}
spec: {ports: [{port: 443, targetPort: 6444, protocol: TCP}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: metrics, namespace: default}
subsets: [{addresses: [{ip: $address}], ports: [{port: 6444, protocol: TCP}]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics, namespace: default, port: 443}
YAML
  quietly kubectl wait --for condition=Available apiservice/v1beta1.external.metrics.k8s.io --timeout 60s
  k get scaledobject idmill-worker --output json | jq '{apiVersion: "autoscaling/v2beta2", kind: "HorizontalPodAutoscaler",
    metadata: {name: "keda-hpa-\(.metadata.name)"},
    spec: {scaleTargetRef: {apiVersion: "apps/v1", kind: "Deployment", name: .spec.scaleTargetRef.name},
      minReplicas: .spec.minReplicaCount, maxReplicas: .spec.maxReplicaCount, behavior: .spec.advanced.horizontalPodAutoscalerConfig.behavior,
      metrics: [{type: "External", external: {metric: {name: "s0-rabbitmq-queue"},
        target: {type: "AverageValue", averageValue: .spec.triggers[0].metadata.value}}}]}}' | k create --filename=- >/dev/null
}

# The API beside the workers; then every value turned on in another namespace, as the API server takes it, without the operators.
step_everything() {
  local pod token number kind
  write_values values.yaml '{"api": {"enabled": true, "replicas": 1, "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}},
    "secrets": {"apiKeys": {"name": "idmill-api"}}}'
  told 'helm upgrade idmill' >/dev/null
  settled 2
  within 120 has_ready 1 api
  pod=$(pods api | cut -d' ' -f1)
  quietly k exec "$pod" -- idmill doctor api
  k exec "$pod" -- idmill probe api --ready >&2
  token=$("$idmill" token mint --api-key demo --secret-file <(cut -d' ' -f2 keys))
  number=$(printf '{"frontPart":"data:image/jpeg;base64,%s"}' "$(base64 -w0 "$specimen/front.jpg")" |
    curl -sS "http://$(k get pod "$pod" --output json | jq --raw-output .status.podIP):8080/ai/v1/ocr" -H "Authorization: $token" \
      -H 'Content-Type: application/json' --data-binary @- | jq --raw-output .idNumber)
  [ "$number" = "$(jq --raw-output .truth.idNumber "$specimen/truth.json")" ] || fail "the API reads another number than the card has"

  quietly helm install all deploy/helm/idmill --namespace production --create-namespace --values deploy/helm/all-on.yaml
  for kind in scaledobject/all-idmill-worker triggerauthentication/all-idmill-worker hpa/all-idmill-api pdb/all-idmill-worker pdb/all-idmill-api \
    networkpolicy/all-idmill-worker networkpolicy/all-idmill-api servicemonitor/all-idmill-worker prometheusrule/all-idmill; do
    quietly kubectl --namespace production get "$kind"
  done
  quietly helm uninstall all --namespace production
}

# What goes, and what stays.
step_uninstall() {
  told 'helm uninstall idmill' >&2
  within 240 nothing_left
  management "$MANAGEMENT_URL/api/queues/%2f" | jq --exit-status '[.[].name] | contains(["idmill.jobs", "idmill.dead"])' >/dev/null || fail "the queues are gone"
  quietly k get secret idmill-broker
}

nothing_left() { [ -z "$(k get all,configmap,pdb,networkpolicy,cronjob --selector app.kubernetes.io/instance=idmill --output name)" ]; }
