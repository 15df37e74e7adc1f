//! Models in ONNX Runtime: the adapter.
