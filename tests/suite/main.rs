//! Tests that cross rooms.

mod cli;
mod cuts;
mod dead_letters;
mod deploy;
mod golden;
mod kafka;
mod models;
mod stuck;
mod tidy;
mod time;
