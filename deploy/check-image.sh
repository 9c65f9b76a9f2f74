#!/usr/bin/env bash
# Builds the image from deploy/Dockerfile as it is published, and runs the chart's worker from it, as Kubernetes would:
# read-only, without capabilities, within 256 MiB, against a RabbitMQ and an S3 server. Part of deploy/check.sh --image.
#
#   deploy/check-image.sh        needs root, Debian packages and half an hour of one core the first time
#
# Nothing is pulled: the two base images are stood in for by trees of Debian packages, under their published names.
# Everything stays in .private/image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

private=$PWD/.private/image
suite=trixie
# Half of what the chart gives, which is enough for the rendered documents; photos of phones take more (deploy/capacity.md).
memory_limit=256Mi
image=localhost/idmill:check
# The rendered documents are sent so many times.
n_rounds=3

here=$PWD/deploy/check-image.sh
storage=(--root "$private/storage" --runroot "$private/run" --storage-driver overlay)
pod() { CONTAINERS_CONF=$private/containers.conf podman "${storage[@]}" "$@"; }

# No journald, no systemd, and none of the limits that podman asks for where it may not raise them.
write_settings() {
  mkdir -p "$private"
  cat >"$private/containers.conf" <<CONF
[containers]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
runtime = "lowered"
events_logger = "file"
[engine.runtimes]
lowered = ["$private/runc"]
[network]
network_backend = "netavark"
CONF
  write_runc "$private/runc"
}

# have IMAGE: whether it was made before.
have() { pod image exists "localhost/$1"; }

# The base images, from Debian's packages and this machine's Rust.
make_bases() {
  local rust debian toolchain
  rust=$(sed -n 's/^ARG RUST_IMAGE=//p' deploy/Dockerfile) debian=$(sed -n 's/^ARG DEBIAN_IMAGE=//p' deploy/Dockerfile)
  if ! have "$debian"; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$private/debian.tar"
    pod import --quiet "$private/debian.tar" "$debian" >/dev/null
    rm -f "$private/debian.tar"
  fi
  if ! have "$rust"; then
    toolchain=$(rustc --print sysroot)
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,gcc,g++,libc6-dev,make,pkg-config "$suite" "$private/rust.tar"
    pod import --quiet "$private/rust.tar" idmill-rust-base >/dev/null
    rm -f "$private/rust.tar"
    mkdir -p "$private/rust"
    printf 'FROM idmill-rust-base\nCOPY --from=toolchain . /usr/local/rust\nENV PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME=/usr/local/cargo\n' \
      >"$private/rust/Dockerfile"
    build --build-context "toolchain=$toolchain" --tag "$rust" "$private/rust"
  fi
}

build() {
  # This machine's authorities: its way to the package registries may have one of its own. Buildah keeps cache mounts in TMPDIR.
  mkdir -p "$private/tmp"
  TMPDIR=$private/tmp nice buildah "${storage[@]}" build --format docker --isolation chroot --pull-never --layers \
    --volume /etc/ssl/certs:/etc/ssl/certs:ro "$@" >"$private/build.log" 2>&1 ||
    { tail_of "$private/build.log" 40 && fail "the image was not built; the log is $private/build.log"; }
}

# What is in the image, and what is not.
look_into_image() {
  local mounted config
  mounted=$(pod image mount "$image")
  config=$(pod image inspect "$image")
  for name in bin/sh bin/bash usr/bin/env usr/bin/apt-get usr/bin/dpkg; do
    [ ! -e "$mounted/$name" ] || fail "the image has /$name"
  done
  deploy/fetch-models.sh "$mounted/usr/share/idmill" 2>/dev/null || fail "the image has not the weights that it should have"
  python3 - "$config" <<'PYTHON'
import json, sys
(image,) = json.loads(sys.argv[1])
config = image["Config"]
if config["User"] != "65532:65532":
    sys.exit(f"the image's user is {config.get('User')}")
if "probe" not in str(image.get("Healthcheck")):
    sys.exit("the image has no health check")
PYTHON
  say "The image: $(du -sm "$mounted" | cut -f1) MB in $(find "$mounted" -type f | wc -l) files"
  pod image unmount "$image" >/dev/null
}

# The chart's own output, without what only a cluster understands.
write_pod() {
  # shellcheck source=/dev/null
  . "$private/store/env.sh"
  .private/check/helm template check deploy/helm/idmill --set "image.repository=${image%:*},image.tag=${image##*:},image.pullPolicy=Never" \
    --set "worker.replicas=1,worker.resources.limits.memory=$memory_limit,worker.resources.requests.memory=$memory_limit" \
    --set secrets.brokerUrl.name=broker,secrets.s3Credentials.name=s3 \
    --set "settings.storage.endpoint=$S3_ENDPOINT,settings.storage.region=us-east-1,settings.storage.path_style=true" \
    --show-only templates/worker.yaml 2>/dev/null |
    .private/check/venv/bin/python -c '
import sys, yaml
(worker,) = [each for each in yaml.safe_load_all(sys.stdin) if each["kind"] == "Deployment"]
# The servers are on loopback; podman maps no ports there.
pod = worker["spec"]["template"]["spec"]
pod["hostNetwork"] = True
del pod["containers"][0]["ports"]
yaml.safe_dump(worker, sys.stdout)' >"$private/pod.yaml"
}

# make_secret NAME KEY VALUE: a Kubernetes Secret for podman, which mounts what stands in it; 4.3 without decoding it first.
make_secret() {
  local value=$3
  [[ $(podman --version) == *" 4.3."* ]] || value=$(printf '%s' "$value" | base64 --wrap=0)
  pod secret rm "$1" >/dev/null 2>&1 || true
  printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ndata:\n  %s: "%s"\n' "$1" "$2" "$value" | pod secret create "$1" - >/dev/null
}

stop_all() {
  pod pod rm --force --all >/dev/null 2>&1 || true
  deploy/servers.sh broker kill "$private/broker" || true
  deploy/servers.sh store kill "$private/store" || true
}

# Inside a network namespace with nothing but loopback, so that no port of this machine is taken or met.
run_worker() {
  ip link set lo up
  trap stop_all EXIT
  stop_all
  rm -rf "$private/broker" "$private/store"
  deploy/servers.sh broker start "$private/broker"
  deploy/servers.sh store start "$private/store"
  write_pod
  # What an earlier run was given.
  pod volume rm --all --force >/dev/null
  # shellcheck source=/dev/null
  . "$private/broker/env.sh" && . "$private/store/env.sh"
  make_secret broker url "$AMQP_URL"
  make_secret s3 credentials "$S3_KEY\n$S3_SECRET"
  pod play kube "$private/pod.yaml" >"$private/play.log" 2>&1 || { tail_of "$private/play.log" && fail "podman does not start the chart's worker"; }
  local name pid
  name=check-idmill-worker-pod-0-worker
  await 60 "$$" answers_http 9464 /readyz || { pod logs --tail 5 "$name" >&2 && fail "the worker in the container does not get ready"; }
  pid=$(pod inspect --format '{{.State.Pid}}' "$name")
  look_at_process "$name" "$pid"
  pod exec "$name" /usr/local/bin/idmill probe || fail "idmill probe fails in the container"
  send_documents "$name" "$pid"
  say "Stopping it: SIGTERM, as Kubernetes does"
  pod stop --time 165 "$name" >/dev/null
  [ "$(pod inspect --format '{{.State.ExitCode}}' "$name")" = 0 ] || { pod logs --tail 5 "$name" >&2 && fail "the worker did not end by itself"; }
}

# What the kernel says of the process, whatever any YAML says.
look_at_process() {
  local name=$1 pid=$2 status
  status=$(cat "/proc/$pid/status")
  grep -q '^CapEff:[[:space:]]*0*$' <<<"$status" || fail "the worker has capabilities: $(grep CapEff <<<"$status")"
  grep -q '^CapBnd:[[:space:]]*0*$' <<<"$status" || fail "the worker could get capabilities: $(grep CapBnd <<<"$status")"
  grep -q '^NoNewPrivs:[[:space:]]*1$' <<<"$status" || fail "the worker could gain privileges"
  grep -q '^Uid:[[:space:]]*65532' <<<"$status" || fail "the worker runs as $(grep Uid <<<"$status")"
  grep -q ' / [^ ]* ro,' "/proc/$pid/mounts" || grep -q '^[^ ]* / [^ ]* ro[, ]' "/proc/$pid/mounts" || fail "the worker's root is writable"
  say "The process: user 65532, no capabilities, no new privileges, read-only root, seccomp $(awk '/^Seccomp:/ { print $2 }' <<<"$status")"
}

# memory_of PID NAME...: the first of these files in the process' memory cgroup.
memory_of() {
  local pid=$1 group base=/sys/fs/cgroup
  shift
  group=$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")
  if [ -n "$group" ]; then base=$base/memory; else group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup"); fi
  for name in "$@"; do
    [ ! -f "$base$group/$name" ] || { cat "$base$group/$name" && return 0; }
  done
  fail "the kernel does not say what memory the worker has used"
}

# Every rendered document some times over. Each `submit` waits for its own event.
send_documents() {
  local name=$1 pid=$2 started read_ sent limit peak own
  # shellcheck source=/dev/null
  . "$private/broker/env.sh" && . "$private/store/env.sh"
  limit=$(memory_of "$pid" memory.limit_in_bytes memory.max)
  [ "$limit" = $((${memory_limit%Mi} * 1024 * 1024)) ] || fail "the worker's limit is $limit bytes"
  export IDMILL__BROKER__URL=$AMQP_URL IDMILL__STORAGE__ENDPOINT=$S3_ENDPOINT IDMILL__STORAGE__REGION=us-east-1 IDMILL__STORAGE__PATH_STYLE=true
  export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
  started=$SECONDS
  # Three at a time, so that the worker always has one in hand and one to come.
  # shellcheck disable=SC2016  # the inner shell expands it
  for ((round = 0; round < n_rounds; round++)); do printf '%s\n' "$specimens"/*/front.jpg; done |
    xargs -P 3 -I{} sh -c 'back=$(dirname "$2")/back.jpg; [ -f "$back" ] || back=; "$1" submit --timeout 5m "$2" $back >/dev/null; echo $?' - "$idmill" {} \
      >"$private/outcomes"
  sent=$(wc -l <"$private/outcomes") read_=$(grep -cx 0 "$private/outcomes" || true)
  # Podman starts it again, as Kubernetes would; but it must not come to that.
  kill -0 "$pid" 2>/dev/null || fail "the worker ended under way, at a limit of $memory_limit most likely for want of memory ($read_ of $sent documents were read all the same)"
  peak=$(memory_of "$pid" memory.max_usage_in_bytes memory.peak)
  # The peak counts pages of files too, which the kernel drops when it wants the room.
  own=$(memory_of "$pid" memory.stat | awk '$1 == "rss" || $1 == "anon" { print int($2 / 1048576) }')
  say "$read_ of $sent documents were read, in $((SECONDS - started)) s; memory: $own MiB of its own at the end, the cgroup's peak $((peak / 1048576)) MiB, limit $memory_limit"
  [ "$(metric_sum '^idmill_jobs_total[{]outcome="read"')" -eq "$read_" ] || fail "the worker's metrics say something else"
  [ "$read_" -ge $((sent * 9 / 10)) ] || fail "too few documents were read"
}

# metric_sum PATTERN: the sum of all series at the worker's /metrics that match.
metric_sum() {
  (exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3 && grep -E "$1" <&3) | awk '{ sum += $NF } END { print sum + 0 }'
}

specimens=$private/specimens
idmill=${CARGO_TARGET_DIR:-$PWD/target}/debug/idmill
if [ "${1:-}" = --run ]; then
  run_worker
  exit 0
fi

[ "$(id -u)" -eq 0 ] || fail "this part needs root: it makes containers"
need_debian buildah podman runc catatonit netavark mmdebstrap python3 iproute2 fonts-dejavu-core fonts-liberation fonts-ocr-b
need_rust
[ -x .private/check/helm ] || fail "run deploy/check.sh --image, which installs what this needs"
write_settings
step "Stand-ins for the base images"
make_bases
step "Building the image"
build --tag "$image" --file deploy/Dockerfile .
look_into_image
# For Docker (deploy/check-compose.sh).
rm -f "$private/idmill.tar"
pod save --quiet --format docker-archive --output "$private/idmill.tar" "$image"
step "Running the chart's worker"
cargo build --locked --quiet --bin idmill --example specimen
[ -d "$specimens" ] || cargo run --locked --quiet --example specimen -- --out "$specimens" --distort mild
# Without a network nothing can be fetched: this installs the two servers.
stop_all
deploy/servers.sh broker start "$private/broker"
deploy/servers.sh store start "$private/store"
stop_all
unshare --net "$here" --run
