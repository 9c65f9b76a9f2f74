#!/bin/sh
# Lays out the files of the final image in DIR: what idmill and ONNX Runtime load, and nothing else. Runs while the image
# is built (deploy/Dockerfile).
#
#   image-files.sh DIR
set -eu
dir=$1

# Files keep their real place; the links beside them are those of a Debian with merged /usr.
keep() { for file in "$@"; do cp --parents --preserve=mode,timestamps "$(readlink -f "$file")" "$dir"; done; }

mkdir -p "$dir/etc" "$dir/usr/lib" "$dir/usr/lib64" "$dir/var/lib/dpkg/status.d"
for link in lib lib64; do ln -s "usr/$link" "$dir/$link"; done

keep /usr/local/bin/idmill /usr/share/idmill/*

# Every library under the name it is asked for. ldd prints "name => path (address)", and the loader without an arrow.
libraries=$(ldd /usr/local/bin/idmill /usr/share/idmill/libonnxruntime.so | sed -n 's/.*=> //; s/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p' | sort -u)
[ -n "$libraries" ] || { echo "ldd names no library" >&2 && exit 1; }
for library in $libraries; do
  keep "$library"
  case "$library" in
  /lib64/* | /usr/lib64/*) [ -e "$dir$library" ] || ln -s "$(readlink -f "$library")" "$dir/usr/lib64/${library##*/}" ;;
  *) [ -e "$dir$(readlink -f "${library%/*}")/${library##*/}" ] || ln -s "$(basename "$(readlink -f "$library")")" "$dir$(readlink -f "${library%/*}")/${library##*/}" ;;
  esac
done

# Authorities, for S3 and brokers with public certificates.
keep /etc/ssl/certs/ca-certificates.crt

# A user of its own, and names resolved as everywhere.
printf 'root:x:0:0:root:/:/sbin/nologin\nidmill:x:65532:65532:idmill:/:/sbin/nologin\n' >"$dir/etc/passwd"
printf 'root:x:0:\nidmill:x:65532:\n' >"$dir/etc/group"
printf 'hosts: files dns\n' >"$dir/etc/nsswitch.conf"
keep /etc/os-release

# What scanners for known vulnerabilities read in images without dpkg: one file for each package that a file came from.
for package in base-files ca-certificates libc6 libgcc-s1 libstdc++6; do
  dpkg-query --status "$package" >"$dir/var/lib/dpkg/status.d/$package"
done
