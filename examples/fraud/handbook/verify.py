"""Compares what the pipeline made of the transactions with the offline truth, all of it.

    python verify.py BROKER FEATURES.parquet [--model MODEL.onnx] [--limit N]

Each transaction must have come out once, and nothing may be among the dead letters or the late records. What is whole
must be equal; means, shares and scores may differ by 1e-5 (means of more than 1: by that part of them). A score is
compared with that of the model over the offline features. Any mismatch ends it with 1.
"""

import argparse
import io
import sys

import numpy as np
import onnxruntime
import pyarrow
import pyarrow.json
import pyarrow.parquet as parquet

import topics
from names import DEAD_LETTERS, FEATURES, LATE, SCORES, WHOLE

FARTHEST = 1e-5
SHOWN = 3
"""Of records and transactions that should not be."""
STRIDE = 65_536


class Output:
    """What came out, in any order."""

    def __init__(self, broker, columns):
        kinds = {"transaction_id": pyarrow.int64()} | {name: pyarrow.float64() for name in columns}
        self.options = pyarrow.json.ParseOptions(
            explicit_schema=pyarrow.schema(kinds), unexpected_field_behavior="ignore"
        )
        tables, count = [], 0
        for records in topics.read(broker, SCORES):
            tables.append(self._parse(records))
            count += len(records)
            if sys.stderr.isatty():
                print(f"\r{SCORES} {count}", end="", file=sys.stderr)
        if not tables:
            sys.exit(f"{SCORES} is empty")
        print(f"{chr(13) if sys.stderr.isatty() else ''}{SCORES}: {count} records", flush=True)
        table = pyarrow.concat_tables(tables)
        # A number that is missing, or null, matches none.
        self.columns = {name: table[name].to_numpy().astype(np.float64) for name in columns}
        number = table["transaction_id"].to_numpy()
        if table["transaction_id"].null_count:
            sys.exit(f"{SCORES}: records without a transaction_id")
        self.id = number.astype(np.int64)

    def _parse(self, records):
        lines = b"\n".join(record.value() or b"{}" for record in records)
        read = pyarrow.json.ReadOptions(block_size=max(len(lines) + 1, 1))
        return pyarrow.json.read_json(io.BytesIO(lines), read, self.options)


def arrange(output, rows):
    """For each transaction the place of its record, -1 where there is none; and how many are wrong in that."""
    strange = (output.id < 0) | (output.id >= rows)
    times = np.bincount(output.id[~strange], minlength=rows)
    wrong = {"missing": times == 0, "more than once": times > 1}
    for what, which in wrong.items():
        report(what, int(which.sum()), np.flatnonzero(which))
    report("of no transaction", int(strange.sum()), output.id[strange])
    place = np.full(rows, -1)
    place[output.id[~strange]] = np.flatnonzero(~strange)
    return place, int(sum(which.sum() for which in wrong.values()) + strange.sum())


def report(what, count, which):
    some = f", such as {', '.join(map(str, which[:SHOWN]))}" if count else ""
    print(f"{what + ':':<22} {count}{some}")


def compare(name, have, want, ids):
    # Outputs are floats of 32 bits: what they can tell of an amount depends on its size.
    apart = np.abs(have - want) / np.maximum(1.0, np.abs(want))
    # Not a number is never near.
    wrong = ~(apart <= (0.0 if name in WHOLE else FARTHEST))
    count = int(wrong.sum())
    some = ""
    if count:
        first = np.flatnonzero(wrong)[0]
        some = f"; {ids[first]} has {float(have[first])!r}, not {float(want[first])!r}"
    largest = np.nanmax(apart) if np.isfinite(apart).any() else np.nan
    print(f"{name:<22} {count} wrong, off by at most {largest:.1e}{some}")
    return count


def scores(model, table):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    vectors = np.stack([table[name] for name in FEATURES], axis=1).astype(np.float32)
    parts = [
        session.run(["probabilities"], {"features": vectors[start : start + STRIDE]})[0][:, 1]
        for start in range(0, len(vectors), STRIDE)
    ]
    return np.concatenate(parts).astype(np.float64)


def aside(broker, topic):
    """Counts what went another way, and shows some of it with the reason."""
    count = 0
    for records in topics.read(broker, topic):
        for record in records[: max(0, SHOWN - count)]:
            headers = {name: value.decode(errors="replace") for name, value in record.headers() or []}
            why = " ".join(headers.get(f"tailwater-{name}", "") for name in ("stage", "code", "message"))
            print(f"  {topic}: {record.value()!r} {why}")
        count += len(records)
    print(f"{topic}: {count} records")
    return count


def main(args):
    table = parquet.read_table(args.features)
    rows = min(args.limit or len(table), len(table))
    table = {name: table[name].to_numpy()[:rows] for name in table.column_names}
    wanted = {name: table[name].astype(np.float64) for name in FEATURES}
    if args.model:
        wanted["score"] = scores(args.model, table)
    output = Output(args.broker, wanted)
    place, wrong = arrange(output, rows)
    ids = np.flatnonzero(place >= 0)
    for name, want in wanted.items():
        wrong += compare(name, output.columns[name][place[ids]], want[ids], ids)
    wrong += aside(args.broker, DEAD_LETTERS) + aside(args.broker, LATE)
    if wrong:
        sys.exit(f"{wrong} mismatches")
    print(f"{rows} transactions: all {len(wanted)} numbers of each are those of the offline computation")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("broker", help="HOST:PORT")
    parser.add_argument("features", help="what offline.py wrote")
    parser.add_argument("--model", help="the model that the pipeline ran; without, scores are not looked at")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N transactions were loaded")
    main(parser.parse_args())
