//! Records to typed columns and rows to values: the adapter for JSON.
