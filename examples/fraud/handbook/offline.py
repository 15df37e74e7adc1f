"""Computes all features of all transactions, offline: the truth that the pipeline is measured by.

    python offline.py DATA OUT.parquet [--check]

It shares nothing with the host: windows are found by binary search in sorted arrays, and sums are differences of running
sums of whole numbers. With `--check` it proves itself against loops over all pairs, for some customers and terminals.
"""

import argparse
import math
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow
import pyarrow.parquet as parquet

from data import DAY, Transactions
from names import DELAY_DAYS, FEATURES, WINDOWS

KEYS_CHECKED = 30
"""Taken at random; those where edges of windows matter come on top."""


def place(key, seconds):
    """One whole number that orders by key, then time. Neighbouring keys lie further apart than any window."""
    return (key << 33) + seconds


def running(values):
    return np.concatenate([[0], np.cumsum(values)])


def customers(data):
    """Windows (t - size, t] of a customer's transactions, up to and with the one that looks."""
    order = np.lexsort((data.id, data.seconds, data.customer))
    key, seconds = data.customer[order], data.seconds[order]
    places, cents = place(key, seconds), running(data.cents[order])
    end = np.arange(len(order)) + 1
    found = {}
    for name, days in WINDOWS.items():
        start = np.searchsorted(places, place(key, seconds - days * DAY), "right")
        count, mean = np.empty(len(order), np.int64), np.empty(len(order))
        count[order] = end - start
        mean[order] = (cents[end] - cents[start]) / 100 / (end - start)
        found |= {f"customer_count_{name}": count, f"customer_mean_{name}": mean}
    return found


def terminals(data):
    """Windows (t - size, t] of what was known by then about a terminal."""
    order = np.lexsort((data.known_at, data.terminal))
    places, frauds = place(data.terminal, data.known_at)[order], running(data.fraud[order])
    end = np.searchsorted(places, place(data.terminal, data.seconds), "right")
    found = {}
    for name, days in WINDOWS.items():
        start = np.searchsorted(places, place(data.terminal, data.seconds - days * DAY), "right")
        count = end - start
        risk = (frauds[end] - frauds[start]) / np.maximum(count, 1)
        found |= {f"terminal_count_{name}": count, f"terminal_risk_{name}": risk}
    return found


def features(data):
    # Day 0 of the epoch was a Thursday; Monday is 0.
    weekday, hour = (data.seconds // DAY + 3) % 7, data.seconds % DAY // 3600
    found = {
        "amount": data.amount,
        "during_weekend": (weekday >= 5).astype(np.int64),
        "during_night": (hour <= 6).astype(np.int64),
    }
    found |= customers(data) | terminals(data)
    return {name: found[name] for name in FEATURES}


def those_to_check(keys, seconds, edges):
    """Some at random, and all those where a transaction lies exactly on the edge of another's window."""
    places, count = np.unique(place(keys, seconds), return_counts=True)
    sharp = [places[count > 1]] + [places[np.isin(places + days * DAY, places)] for days in edges]
    some = np.random.default_rng(1).choice(np.unique(keys), KEYS_CHECKED, replace=False)
    return np.union1d(np.concatenate(sharp) >> 33, some)


def naive_customer(rows, me):
    number, at, _, _ = rows[me]
    found = []
    for days in WINDOWS.values():
        oldest = at - timedelta(days=days)
        seen = [
            amount
            for other, when, amount, _ in rows
            if oldest < when <= at and (when < at or other <= number)
        ]
        found += [len(seen), math.fsum(seen) / len(seen)]
    return found


def naive_terminal(rows, me):
    _, at, _, _ = rows[me]
    found = []
    for days in WINDOWS.values():
        oldest, newest = at - timedelta(days=DELAY_DAYS + days), at - timedelta(days=DELAY_DAYS)
        seen = [fraud for _, when, _, fraud in rows if oldest < when <= newest]
        found += [len(seen), sum(seen) / len(seen) if seen else 0.0]
    return found


def check(data, found):
    checked, sizes = 0, list(WINDOWS.values())
    delayed = [DELAY_DAYS, *(DELAY_DAYS + days for days in sizes)]
    for keys, prefix, naive, edges in (
        (data.customer, "customer_", naive_customer, sizes),
        (data.terminal, "terminal_", naive_terminal, delayed),
    ):
        names = [name for name in FEATURES if name.startswith(prefix)]
        for key in those_to_check(keys, data.seconds, edges):
            which = np.flatnonzero(keys == key)
            rows = [
                (int(i), moment(data.seconds[i]), float(data.amount[i]), int(data.fraud[i])) for i in which
            ]
            for me, i in enumerate(which):
                have = [float(found[name][i]) for name in names]
                want = naive(rows, me)
                if not all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(have, want, strict=True)):
                    sys.exit(f"transaction {i}: {prefix}features are {have}, by pairs {want}")
            checked += len(which)
    for i in np.random.default_rng(2).choice(len(data), 20_000, replace=False):
        at = moment(data.seconds[i])
        if (found["during_weekend"][i], found["during_night"][i]) != (at.isoweekday() > 5, at.hour <= 6):
            sys.exit(f"transaction {i}: the clock is wrong")
    return checked


def moment(seconds):
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def main(args):
    data = Transactions(args.data)
    found = features(data)
    print(f"{len(data)} transactions, {data.fraud.sum()} frauds, {len(FEATURES)} features of each", flush=True)
    if args.check:
        print(f"{check(data, found)} of them agree with loops over all pairs")
    columns = {
        "transaction_id": data.id,
        "event_time": data.seconds * 1000,
        "customer_id": data.customer,
        "fraud": data.fraud,
    }
    parquet.write_table(pyarrow.table(columns | found), args.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="the handbook's transactions.parquet")
    parser.add_argument("out", help="a Parquet file to write")
    parser.add_argument("--check", action="store_true", help="prove it on a sample")
    main(parser.parse_args())
