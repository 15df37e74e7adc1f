//! The fraud example at work: [`session`] plays the generator's stream to a host in this process and
//! looks at what comes out; [`history`] takes the same plugins over a past, to train with.

pub mod args;
mod broker;
mod feed;
pub mod history;
mod ledger;
mod pipeline;
mod read;
pub mod report;
pub mod session;
mod tally;
mod view;
