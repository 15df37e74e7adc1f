"""Trains the fraud model on what `fraud-history` wrote, and writes it as ONNX.

    python train.py history.csv [model.onnx]

The last quarter of the time is for judging, not for training. The model carries the names of its features, so that
the host gives it the right columns whatever their order in the plugin.
"""

import csv
import json
import pathlib
import re
import sys

import lightgbm
import numpy as np
import onnx
import onnxruntime
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.metrics import average_precision_score, roc_auc_score

NOT_FEATURES = {"transaction_id", "event_time", "card_id", "terminal_id", "fraud", "pattern"}
FOR_TRAINING = 0.75


def read(path):
    """Features as the model will get them (float32, unknown as NaN), labels and patterns, in order of event time."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: (int(row["event_time"]), int(row["transaction_id"])))
    names = [name for name in rows[0] if name not in NOT_FEATURES]
    features = np.array([[float(row[name] or "nan") for name in names] for row in rows], np.float32)
    fraud = np.array([int(row["fraud"]) for row in rows])
    return names, features, fraud, np.array([row["pattern"] for row in rows])


def train(features, fraud):
    model = lightgbm.LGBMClassifier(
        n_estimators=40,
        max_depth=5,
        num_leaves=20,
        learning_rate=0.15,
        min_child_samples=40,
        # The same file from the same data, on any machine.
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        random_state=1,
        verbose=-1,
    )
    return model.fit(features, fraud)


def single(model):
    """The same answers for the same features, with thresholds that are float32 as in ONNX: each is rounded down, so
    that no feature, which is float32 itself, changes sides."""

    def down(text):
        threshold = float(text)
        near = np.float32(threshold)
        return repr(float(near if near <= threshold else np.nextafter(near, np.float32(-np.inf))))

    def line(match):
        return match[1] + " ".join(down(text) for text in match[2].split())

    text = re.sub(r"^(threshold=)(.*)$", line, model.booster_.model_to_string(), flags=re.MULTILINE)
    # What is told about sizes of trees is not true any more, and needed by parallel readers only.
    return lightgbm.Booster(model_str=re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE))


def export(model, names):
    """With plain probabilities as the only output; the label is the rules' matter."""
    kind = [("features", FloatTensorType([None, len(names)]))]
    # Without a name it would be given a random one.
    proto = convert_lightgbm(model, name="fraud", initial_types=kind, target_opset=15, zipmap=False)
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
    onnx.helper.set_model_props(proto, {"tailwater.features": json.dumps(names)})
    onnx.checker.check_model(proto)
    return proto


def quality(truth, score):
    return f"AUC {roc_auc_score(truth, score):.3f}   average precision {average_precision_score(truth, score):.3f}"


def main(history, target):
    names, features, fraud, patterns = read(history)
    split = int(len(fraud) * FOR_TRAINING)
    model = single(train(features[:split], fraud[:split]))
    proto = export(model, names)
    onnx.save(proto, target)

    judged, truth, patterns = features[split:], fraud[split:], patterns[split:]
    score = model.predict(judged)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (exported,) = session.run(["probabilities"], {"features": judged})
    apart = float(np.abs(exported[:, 1] - score).max())
    print(f"{len(fraud)} transactions, {fraud.sum()} frauds; judged on the last {len(truth)}, {truth.sum()} frauds")
    print(f"{'with all features:':<36}{quality(truth, score)}")
    cards = [index for index, name in enumerate(names) if not name.startswith("terminal_")]
    blind = train(features[:split, cards], fraud[:split]).predict_proba(judged[:, cards])[:, 1]
    print(f"{'without those of the terminal:':<36}{quality(truth, blind)}")
    for threshold in (0.3, 0.8):
        above = score >= threshold
        found = [f"{name} {above[patterns == name].mean():.0%}" for name in sorted(set(patterns) - {""})]
        print(f"score >= {threshold}: {above[truth == 0].mean():.3%} of the honest; of the frauds: {', '.join(found)}")
    print(f"LightGBM and ONNX Runtime differ by at most {apart:.1e}")
    print(f"{target}: {pathlib.Path(target).stat().st_size} bytes")
    if apart > 1e-5:
        sys.exit("the exported model is not the trained one")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    here = pathlib.Path(__file__).parent
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else str(here.parent / "model.onnx"))
