"""Writes model.onnx: a table of weights, one an item, and a sigmoid.

    pip install onnx==1.23.2 && python make_model.py
"""

import math
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ITEMS = 1000

# Weights without a random generator, so that everybody gets the same file.
table = np.array([2.5 * math.sin(0.7 * item) for item in range(ITEMS)], np.float32)

graph = helper.make_graph(
    name="clicks",
    nodes=[
        # Any item finds a place in the table: unknown ones share those of others.
        helper.make_node("Mod", ["item_id", "items"], ["place"]),
        helper.make_node("Gather", ["table", "place"], ["weight"]),
        helper.make_node("Sigmoid", ["weight"], ["score"]),
    ],
    inputs=[helper.make_tensor_value_info("item_id", TensorProto.INT64, ["N"])],
    outputs=[helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])],
    initializer=[
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array(ITEMS, np.int64), "items"),
    ],
)
model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="make_model.py"
)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, pathlib.Path(__file__).parent / "model.onnx")
