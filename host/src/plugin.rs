//! Plugins in wasmtime: the adapter for the `preprocessor`, `features` and `rules` worlds.
