#!/usr/bin/env bash
# Brings deploy/compose.yaml up with Docker and does what deploy/README.md says about it: a document, its event, the API, a scrape, and
# each of the things to break. Part of deploy/check.sh --image, whose image it runs.
#
#   deploy/check-compose.sh      needs root, what deploy/check.sh --image leaves in .private, and some minutes
#
# Nothing is pulled. Programs from packages stand in for the servers under their published names: Debian's RabbitMQ 4.3 and Prometheus
# 3.5, SeaweedFS as everywhere here, and for Grafana, which no package has, a process that reads its files. A Docker daemon of its own
# runs in network and process namespaces, so that no port of this machine is taken, a Docker that runs here is not met, and nothing
# outlives the script. Everything stays in .private/compose.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/compose
tools=${IDMILL_TOOLS:-$PWD/.private/tools}
here=$PWD/deploy/check-compose.sh
suite=forky
export DOCKER_HOST=unix://$private/docker.sock DOCKER_CONFIG=$private/cli
# As in deploy/README.md.
password=on-this-machine-only
compose=(docker compose -f deploy/compose.yaml)

# The servers' programs in one tree, laid out as the published images have them.
make_servers() {
  [ ! -s "$private/servers.tar" ] || return 0
  say "Unpacking RabbitMQ and Prometheus from Debian's $suite (180 MB)"
  # shellcheck disable=SC2016  # mmdebstrap's shell expands it
  mmdebstrap --quiet --variant=minbase --include=rabbitmq-server,prometheus,gosu,wget --aptopt='Acquire::Check-Valid-Until "false"' \
    --customize-hook="copy-in '$tools/weed' /usr/bin" \
    --customize-hook='echo "[rabbitmq_management,rabbitmq_prometheus]." >"$1/etc/rabbitmq/enabled_plugins"' \
    --customize-hook='rm -f "$1/var/lib/rabbitmq/.erlang.cookie"; install -d -o 65534 -g 65534 "$1/prometheus"; mkdir -p "$1/data"' \
    "$suite" "$private/servers.part.tar"
  mv "$private/servers.part.tar" "$private/servers.tar"
}

# stand_in IMAGE CHANGE...: an image of the servers' tree under that name, with these instructions of a Dockerfile.
stand_in() {
  local image=$1 change changes=() container
  shift
  for change; do changes+=(--change "$change"); done
  container=$(docker create idmill-servers true)
  docker commit "${changes[@]}" "$container" "$image" >/dev/null
  docker rm "$container" >/dev/null
}

# What the published images start, as their own Dockerfiles say.
make_images() {
  local image
  docker image inspect idmill-servers >/dev/null 2>&1 || docker import "$private/servers.tar" idmill-servers >/dev/null
  docker load --quiet --input .private/image/idmill.tar >/dev/null
  while read -r image; do
    case "$image" in
    idmill:*) docker tag localhost/idmill:check "$image" ;;
    rabbitmq:*-management)
      stand_in "$image" 'ENV RUNNING_UNDER_SYSTEMD=true' 'VOLUME /var/lib/rabbitmq' 'ENTRYPOINT ["gosu","rabbitmq"]' 'CMD ["rabbitmq-server"]'
      ;;
    chrislusf/seaweedfs:*) stand_in "$image" 'VOLUME /data' 'WORKDIR /data' 'ENTRYPOINT ["/usr/bin/weed"]' 'CMD []' ;;
    prom/prometheus:*)
      stand_in "$image" 'USER nobody' 'VOLUME /prometheus' 'WORKDIR /prometheus' 'ENTRYPOINT ["/bin/prometheus"]' \
        'CMD ["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"]'
      ;;
    grafana/grafana:*)
      stand_in "$image" 'USER 472' 'CMD []' \
        'ENTRYPOINT ["sh","-ec","cat /etc/grafana/provisioning/*/*.yaml /var/lib/grafana/dashboards/idmill.json >/dev/null; exec sleep infinity"]'
      ;;
    *) fail "nothing stands in for $image" ;;
    esac
  done < <("${compose[@]}" config --images | sort -u)
}

start_docker() {
  rm -rf "$private/exec" "$private/docker.sock" "$private/docker.pid"
  dockerd --host "$DOCKER_HOST" --data-root "$private/data" --exec-root "$private/exec" --pidfile "$private/docker.pid" \
    --exec-opt native.cgroupdriver=cgroupfs >"$private/docker.log" 2>&1 &
  await 60 $! docker version >"$private/version" 2>&1 || { tail_of "$private/docker.log" && fail "Docker does not start"; }
  say "Docker $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short)"
}

# quietly COMMAND...: its output only where it fails.
quietly() { "$@" >"$private/last.log" 2>&1 || { tail_of "$private/last.log" && fail "failed: $*"; }; }

# submit ARGUMENT...: as in deploy/README.md; prints the event, or the job.
submit() { "${compose[@]}" run --rm --volume "$specimen:/in:ro" worker submit "$@" 2>"$private/submit.log"; }

# reads: a document of two sides goes in, and its event says what is printed on it.
reads() {
  local number
  number=$(submit /in/front.jpg /in/back.jpg | jq --raw-output .data.fields.idNumber) || { tail_of "$private/submit.log" && fail "the document was not read"; }
  [ "$number" = "$(jq --raw-output .truth.idNumber "$specimen/truth.json")" ] || fail "the event has another number than the card"
}

# series QUERY: the first value that Prometheus has.
series() { curl -sS --get http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" | jq --raw-output '.data.result[0].value[1] // empty'; }

# shows QUERY VALUE: Prometheus knows that value now.
shows() { [ "$(series "$1")" = "$2" ]; }

comes_to_show() { await "$3" "$$" shows "$1" "$2" || fail "Prometheus shows '$(series "$1")' for $1, expected $2"; }

management() { curl -sS --fail-with-body -u "idmill:$password" -H 'Content-Type: application/json' "$@"; }

look_at_api() {
  local token number
  token=$("${compose[@]}" exec api idmill token mint --api-key demo --secret-file /etc/idmill/secret)
  number=$(printf '{"frontPart":"data:image/jpeg;base64,%s"}' "$(base64 -w0 "$specimen/front.jpg")" |
    curl -sS http://127.0.0.1:8080/ai/v1/ocr -H "Authorization: $token" -H 'Content-Type: application/json' --data-binary @- | jq --raw-output .idNumber)
  [ "$number" = "$(jq --raw-output .truth.idNumber "$specimen/truth.json")" ] || fail "the API reads another number than the card has"
}

look_at_prometheus() {
  local job
  for job in idmill-worker idmill-api rabbitmq; do comes_to_show "up{job=\"$job\"}" 1 60; done
  comes_to_show 'idmill_jobs_total{outcome="read"}' 1 60
  comes_to_show 'rabbitmq_detailed_queue_consumers{queue="idmill.jobs"}' 1 60
  [ "$(curl -sS http://127.0.0.1:9090/api/v1/rules | jq '[.data.groups[].rules[]] | length')" = "$(grep -c 'alert:' deploy/prometheus/alerts.yaml)" ] ||
    fail "Prometheus has not loaded every alert"
}

# A queue for the events, as a consumer would have it.
bind_events() {
  management -X PUT http://127.0.0.1:15672/api/queues/%2f/events -d '{"durable": true, "arguments": {"x-queue-type": "quorum"}}'
  management -X POST http://127.0.0.1:15672/api/bindings/%2f/e/idmill.events/q/events -d '{"routing_key": "document.*"}' >/dev/null
}

n_events() { management http://127.0.0.1:15672/api/queues/%2f/events | jq '.messages // 0'; }

has_events() { [ "$(n_events)" -ge "$1" ]; }

# The rows of "Breaking it on purpose".
break_it() {
  local before
  before=$(n_events)
  "${compose[@]}" pause worker 2>/dev/null
  for _ in 1 2 3 4; do submit --no-wait /in/front.jpg >/dev/null; done
  quietly "${compose[@]}" stop s3
  "${compose[@]}" unpause worker 2>/dev/null
  comes_to_show 'idmill_circuit_open{dependency="storage"}' 1 60
  quietly "${compose[@]}" start s3
  await 120 $$ has_events $((before + 4)) || fail "only $(($(n_events) - before)) of 4 events came after S3 was back"
  say "S3 away and back: the circuit opened, and every event came"

  quietly "${compose[@]}" restart rabbitmq
  reads
  quietly "${compose[@]}" kill rabbitmq
  quietly "${compose[@]}" up --detach --wait
  reads
  say "RabbitMQ restarted, and killed: read again"

  quietly "${compose[@]}" kill worker
  quietly "${compose[@]}" up --detach --wait
  reads
  quietly "${compose[@]}" up --detach --wait --scale worker=3
  comes_to_show 'count(up{job="idmill-worker"} == 1)' 3 90
  say "Worker killed and started, then three of them, each scraped"

  echo "I am no image." >"$private/text"
  "${compose[@]}" run --rm --volume "$private/text:/in/text:ro" worker submit /in/text >"$private/event.json" 2>/dev/null && fail "a text was read"
  [ "$(jq --raw-output .data.failure.class "$private/event.json")" = bad_image ] || fail "a text is no bad_image"
  quietly "${compose[@]}" exec -T worker idmill dead drop --class bad_image --yes
  grep -q 'dropped 1 letter' "$private/last.log" || fail "the dead letter was not dropped"
}

run() {
  ip link set lo up
  start_docker
  trap '"${compose[@]}" logs >"$private/compose.log" 2>&1 || true' EXIT
  step "Images"
  make_images
  quietly "${compose[@]}" down --volumes
  step "docker compose up"
  quietly "${compose[@]}" up --detach --wait
  reads
  look_at_api
  look_at_prometheus
  bind_events
  "${compose[@]}" exec -T worker idmill doctor >"$private/doctor.log" || { cat "$private/doctor.log" >&2 && fail "the doctor is not content"; }
  quietly "${compose[@]}" exec -T rabbitmq rabbitmq-diagnostics alarms
  say "A document was read by worker and API, Prometheus has scraped them, $(tail -n 1 "$private/doctor.log")"
  step "Breaking it on purpose"
  break_it
  step "docker compose down"
  quietly "${compose[@]}" down --volumes
  [ -z "$(docker ps --all --quiet)$(docker volume ls --quiet)$(docker network ls --quiet --filter name=idmill)" ] || fail "down leaves something behind"
  trap - EXIT
}

specimen=$PWD/.private/image/specimens/td1-1
if [ "${1:-}" = --run ]; then
  run
  exit 0
fi

[ "$(id -u)" -eq 0 ] || fail "this part needs root: it makes containers"
need_debian docker.io iptables iproute2 mmdebstrap curl jq
for made in .private/image/idmill.tar .private/image/specimens .private/check/docker-compose "$tools/weed"; do
  [ -e "$made" ] || fail "run deploy/check.sh --image, which builds the image and installs what this needs"
done
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -sf "$PWD/.private/check/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
make_servers
unshare --net --pid --fork --kill-child --mount-proc "$here" --run
