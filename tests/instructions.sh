#!/usr/bin/env bash
# Counts the instructions of the paths that every document takes, and fails where one takes more than it did.
#
#   tests/instructions.sh             compares with tests/instructions.txt
#   tests/instructions.sh --update    writes what it counts there instead
#
# Counts repeat where times do not. They are of the debug build that the tests run, under valgrind, whose processor is the
# same on every machine with AVX2, on the fictional documents of examples/hot_paths.rs. No neural network runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

# What a path may take more, in percent. Runs of one build differ by 0.15 % at most; other compilers and C libraries by more.
tolerance=5
table=tests/instructions.txt
private=$PWD/.private/instructions
update=${1:-}
[ -z "$update" ] || [ "$update" = --update ] || fail "unknown argument: $update"

need_rust
need_debian valgrind binutils
rm -rf "$private"
mkdir -p "$private"
cargo build --locked --quiet --example hot_paths
# valgrind would read all debug information before it starts.
strip --strip-debug -o "$private/hot_paths" "${CARGO_TARGET_DIR:-target}/debug/examples/hot_paths"

# A file of counts each time that the function `take` of the example returns, with what ran since it was called.
valgrind --tool=callgrind --callgrind-out-file="$private/counts" --zero-before=hot_paths::take --dump-after=hot_paths::take \
  "$private/hot_paths" >"$private/names" 2>"$private/valgrind.log" || { tail_of "$private/valgrind.log" && fail "valgrind did not run to its end"; }

fresh=$private/instructions.txt
{
  echo "# Instructions of each path of examples/hot_paths.rs in thousands, counted by tests/instructions.sh, which writes this"
  echo "# file with --update. $(rustc -V | cut -d' ' -f1,2), $(uname -m)."
} >"$fresh"
grown=() shrunk=() at=0
while read -r name; do
  at=$((at + 1))
  [ -s "$private/counts.$at" ] || fail "valgrind counted nothing for $name"
  now=$(($(sed -n 's/^totals: //p' "$private/counts.$at") / 1000))
  before=$(awk -v name="$name" '$1 == name { print $2 }' "$table")
  printf '%-16s %7d\n' "$name" "$now" >>"$fresh"
  say "$(printf '%-16s %7d thousand instructions, expected %s' "$name" "$now" "${before:-none}")"
  if [ -z "$before" ] || [ $((now * 100)) -gt $((before * (100 + tolerance))) ]; then grown+=("$name"); fi
  if [ -n "$before" ] && [ $((now * 100)) -lt $((before * (100 - tolerance))) ]; then shrunk+=("$name"); fi
done <"$private/names"
[ "$at" -gt 0 ] || fail "no path was taken"

if [ "$update" ]; then
  cp "$fresh" "$table"
  say "$table has these counts now; say in the commit what they buy."
  exit 0
fi
[ ${#shrunk[@]} -eq 0 ] || say "Fewer instructions than expected (${shrunk[*]}): keep it so with tests/instructions.sh --update."
if [ ${#grown[@]} -gt 0 ]; then
  diff <(sed -n 2p "$table") <(sed -n 2p "$fresh") >&2 || say "The table is of another compiler or processor: count the commit before yours with this one, too."
  fail "more instructions than expected (${grown[*]}): if the work is worth it, run tests/instructions.sh --update and say in the commit what it buys"
fi
