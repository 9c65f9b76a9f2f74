#!/usr/bin/env python3
"""How many workers for how many jobs a second: a simulation beside the textbook's formula.

    examples/capacity.py                           the table of deploy/capacity.md
    examples/capacity.py RATE [SECONDS] [CV2]      one rate: jobs a second, mean CPU seconds of a job, its squared variation

Jobs come at random (Poisson) to one queue and are served by c engines, each one job at a time; service times are
gamma-distributed with the mean and the squared coefficient of variation that were measured. The formula is the M/M/c queue's
waiting time (Erlang C), scaled by (1 + CV2) / 2 as Allen and Cunneen do for M/G/c. Only the standard library is used.
"""

import heapq
import math
import random
import sys

# Measured: deploy/capacity.md says how.
SECONDS, CV2 = 0.382, 0.12
# Busy share of the engines that is planned for, so that a pod that dies or a peak does not fill the queue.
UTILISATION = 0.7


def erlang_c(engines, load):
    """Probability that a job finds all engines busy; by the recursion of Erlang B, which does not overflow."""
    blocked = 1.0
    for n in range(1, engines + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / engines * (1 - blocked))


def mean_wait(rate, seconds, cv2, engines):
    """Mean seconds that a job waits for an engine."""
    load = rate * seconds
    return erlang_c(engines, load) * seconds / (engines - load) * (1 + cv2) / 2


def simulate(rate, seconds, cv2, engines, n_jobs, seed=1):
    """Waiting times of so many jobs, sorted; the first tenth, while the queue fills, is left out."""
    chance = random.Random(seed)
    free_at = [0.0] * engines
    heapq.heapify(free_at)
    now, waits = 0.0, []
    for _ in range(n_jobs):
        now += chance.expovariate(rate)
        start = max(now, free_at[0])
        heapq.heapreplace(free_at, start + chance.gammavariate(1 / cv2, seconds * cv2))
        waits.append(start - now)
    return sorted(waits[n_jobs // 10 :])


def row(rate, seconds, cv2):
    engines = max(2, math.ceil(rate * seconds / UTILISATION))
    n_jobs = 200_000
    waits = simulate(rate, seconds, cv2, engines, n_jobs)
    by_formula, by_simulation = mean_wait(rate, seconds, cv2, engines), sum(waits) / len(waits)
    late = waits[int(len(waits) * 0.99)]
    return f"| {rate:g} | {engines} | {rate * seconds / engines:.0%} | {by_formula:.4f} | {by_simulation:.4f} | {late:.3f} |"


def main(arguments):
    rates = [float(arguments[0])] if arguments else [1, 10, 100, 1_000, 10_000]
    seconds, cv2 = ([float(each) for each in arguments[1:3]] + [SECONDS, CV2][len(arguments[1:3]) :])
    print("| jobs/s | engines | busy | mean wait, formula, s | mean wait, simulated, s | 99th percentile, simulated, s |")
    print("|--:|--:|--:|--:|--:|--:|")
    for rate in rates:
        print(row(rate, seconds, cv2), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
