//! The admin API: what runs, and how it is changed, over HTTP.
//!
//! - It serves on a thread of its own. Whatever waits, for a broker or a disk, is done on others, so many at a time;
//!   stream threads are only looked at, and wait for nothing here.
//! - Who may: on loopback everybody, unless there are tokens; elsewhere only who has one. Browsers may never.
//! - Everything is bounded: connections, heads, bodies, and how long each of them may take. A connection has one request.
//! - It knows no pipeline: those are behind [`Pipeline`].
//! - `openapi.json` describes it; a test compares the two.

mod body;
mod caller;
mod gate;
mod health;
mod pages;
mod ports;
mod problem;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod tokens;

pub use health::Place;
pub use ports::{Change, Host, NewFile, Outcome, Pipeline, Thread};
pub use server::{Options, Server};
pub use tokens::Tokens;
