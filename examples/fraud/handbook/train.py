"""Trains the handbook's baseline models, judges them as it does, and writes them as ONNX.

    python train.py FEATURES.parquet OUT_DIR

FEATURES.parquet is what `offline.py` wrote. OUT_DIR gets `logistic.onnx`, `tree.onnx`, `forest.onnx` and `boosted.onnx`,
which carry their features' names, and `table.md`.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as parquet
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostFloats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from xgboost import XGBClassifier

import protocol
from names import FEATURES

FARTHEST = 1e-5
"""Between a library's probability and ONNX Runtime's."""


def models():
    # What a tree learns does not depend on the scale, so only the regression gets one.
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(random_state=0)),
        "tree": DecisionTreeClassifier(max_depth=2, random_state=0),
        "forest": RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=-1),
        # What was the default in the handbook's day; XGBoost 3 bins values and starts from the mean.
        "boosted": XGBClassifier(tree_method="exact", base_score=0.5, random_state=0, n_jobs=-1),
    }


def export(name, model):
    """With plain probabilities as the only output."""
    shape = [None, len(FEATURES)]
    if isinstance(model, XGBClassifier):
        kind = [("features", XgboostFloats(shape))]
        proto = convert_xgboost(model, name=name, initial_types=kind, target_opset=15)
    else:
        kind = [("features", FloatTensorType(shape))]
        options = {"zipmap": False}
        proto = to_onnx(model, name=name, initial_types=kind, target_opset=15, options=options)
    for output in [output for output in proto.graph.output if output.name != "probabilities"]:
        proto.graph.output.remove(output)
    needed = {"probabilities"}
    nodes = []
    for node in reversed(proto.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))
    # The converter has them in any order.
    opsets = sorted(proto.opset_import, key=lambda opset: opset.domain)
    del proto.opset_import[:]
    proto.opset_import.extend(opsets)
    onnx.helper.set_model_props(proto, {"tailwater.features": json.dumps(FEATURES)})
    onnx.checker.check_model(proto)
    return proto


def run(file, vectors):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"features": vectors})
    return probabilities[:, 1]


def main(args):
    table = parquet.read_table(args.features)
    table = {name: table[name].to_numpy() for name in table.column_names}
    # As the model will get them.
    vectors = np.stack([table[name] for name in FEATURES], axis=1).astype(np.float32)
    training, test, day = protocol.split(table)
    # Also what the protocol leaves out: the export is compared on whole weeks.
    weeks = (day >= 0) & (day < protocol.TRAINING_DAYS + protocol.DELAY_DAYS + protocol.TEST_DAYS)
    fraud = table["fraud"]
    print(f"training: {training.sum()} transactions, {fraud[training].sum()} frauds")
    print(f"test:     {test.sum()} transactions, {fraud[test].sum()} frauds", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name, model in models().items():
        model.fit(vectors[training], fraud[training])
        file = args.out / f"{name}.onnx"
        onnx.save(export(name, model), file)
        score = model.predict_proba(vectors[weeks])[:, 1]
        apart = float(np.abs(run(file, vectors[weeks]) - score).max())
        print(f"{file}: {file.stat().st_size} bytes, off by at most {apart:.1e} in ONNX Runtime", flush=True)
        if not apart <= FARTHEST:
            sys.exit("the exported model is not the trained one")
        tested = (values[test] for values in (day, table["customer_id"], fraud))
        figures[name] = protocol.judge(*tested, score[test[weeks]])
    report = protocol.report(figures)
    print(report)
    (args.out / "table.md").write_text(f"{report}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("features", help="what offline.py wrote")
    parser.add_argument("out", type=pathlib.Path, help="a folder")
    main(parser.parse_args())
