//! Windows over kept entries: pure, no clock, no I/O.
