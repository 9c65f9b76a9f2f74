"""Makes a Markdown table of the JSON lines of run.sh: medians over the rounds, and ratios within each round."""

import collections
import json
import statistics
import sys

NAMES = {
    "idmill": "**idmill**",
    "bare": "bare loop (lapin, AWS SDK, reqwest)",
    "aio-pika": "aio-pika, aiobotocore, uvloop",
    "node": "Node: amqplib, AWS SDK v3, undici",
    "celery": "Celery prefork, boto3",
}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def main():
    runs = collections.defaultdict(list)
    for line in sys.stdin:
        run = json.loads(line)
        runs[run["worker"], run["case"]].append(run)
    price = {key: [run["cpu_s"] / run["n_jobs"] for run in group] for key, group in runs.items() if key[1] != "2 x 10 MB"}
    for case in ("at once", "after 200 ms"):
        print(f"\nOCR answers {case}; two images of 256 KiB, 32 jobs in flight\n")
        print("| worker | jobs/s per core | idmill is | p50, p99 at 20 jobs/s, ms | peak MiB | lost, twice |")
        print("|---|---:|---:|---:|---:|---:|")
        for name, title in NAMES.items():
            group = runs[name, case]
            if not group:
                continue
            ratios = [other / own for own, other in zip(price["idmill", case], price[name, case])]
            paced = [ms for run in group for ms in run["paced_ms"]]
            figures = [
                f"{1 / statistics.median(price[name, case]):.0f}",
                "" if name == "idmill" else f"{statistics.median(ratios):.2f} x",
                f"{percentile(paced, 0.5):.0f}, {percentile(paced, 0.99):.0f}",
                f"{max(run['peak_kib'] for run in group) / 1024:.0f}",
                f"{sum(run['lost'] for run in group)}, {sum(run['twice'] for run in group)}",
            ]
            print(f"| {title} | {' | '.join(figures)} |")
    print("\n| worker | idle MiB | peak MiB with 32 jobs of 2 x 10 MB in flight |")
    print("|---|---:|---:|")
    for name, title in NAMES.items():
        large = runs[name, "2 x 10 MB"]
        if large:
            idle = statistics.median(run["idle_kib"] for run in runs[name, "at once"])
            print(f"| {title} | {idle / 1024:.0f} | {large[0]['peak_kib'] / 1024:.0f} |")
    if any(run["bad_requests"] for group in runs.values() for run in group):
        sys.exit("a worker sent requests that the OCR service could not take")


main()
