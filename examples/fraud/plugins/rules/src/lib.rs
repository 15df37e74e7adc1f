//! A plugin of the example.
