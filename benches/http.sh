#!/usr/bin/env bash
# One check over HTTP beside the limit of the stack (C0), in one run: same core, same load, in turn.
# Needs wrk, taskset, python3, two cores and the measuring bench (AUTHX_BENCH_DIR, default ../shared/bench).
# benches/http.sh [ROUNDS] [SECONDS] [SCALE]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} seconds=${2:-6} scale=${3:-1}
bench=$(realpath "${AUTHX_BENCH_DIR:-../shared/bench}")
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

[ -n "${SKIP_BUILD:-}" ] || cargo build --release --quiet
CARGO_TARGET_DIR=target/c0 cargo build --release --quiet --manifest-path "$bench/c0/Cargo.toml"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
c0_port=$(free_port) port=$(free_port)
taskset -c 0 target/c0/release/c0 "127.0.0.1:$c0_port" 1 & pids+=($!)
taskset -c 0 target/release/authx serve --bind "127.0.0.1:$port" --data-dir "$work/data" --workers 1 2>"$work/log" & pids+=($!)
for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break; sleep 0.1; done
token=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["admin_key"])' "$work/data/keys.json")
store=$(python3 benches/store.py "http://127.0.0.1:$port" "$token" "$bench" "$scale")
python3 "$bench/world.py" checks "$scale" 4000 7 >"$work/checks"
path="/v1/stores/$store/check"
python3 "$bench/answers.py" "http://127.0.0.1:$port" "$path" "$work/checks" native "$token"

load() { # PORT [TOKEN]
  CHECKS="$work/checks" SHAPE=native RPATH="$path" TOKEN="${2:-}" \
    taskset -c 1 wrk -t1 -c32 "-d${seconds}s" -s "$bench/check.lua" "http://127.0.0.1:$1" | grep RESULT
}
load "$c0_port" x >/dev/null; load "$port" "$token" >/dev/null
for round in $(seq "$rounds"); do
  echo "c0    $round $(load "$c0_port" x)" | tee -a "$work/results"
  echo "authx $round $(load "$port" "$token")" | tee -a "$work/results"
done
python3 - "$work/results" <<'PY'
import statistics, sys
rates = {}
for line in open(sys.argv[1]):
    parts = line.split()
    rates.setdefault(parts[0], []).append(float(parts[3]))
ratios = [a / c for a, c in zip(rates['authx'], rates['c0'])]
median = statistics.median
print(f"c0 {median(rates['c0']):.0f}/s · authx {median(rates['authx']):.0f}/s · ratio {median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")
PY
