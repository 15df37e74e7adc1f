//! What the host remembers of each key.
