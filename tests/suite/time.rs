//! Event time and keys, from records to decisions: order, late rows, idle partitions, windows that close.
//! Buyers buy in shops, others complain about shops.

mod close;
mod foreign;
mod late;
mod order;
mod places;
mod tables;

use std::path::Path;
use std::sync::Arc;

use tailwater::config::Config;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::guest;

/// Seconds of event time behind this.
const START: i64 = 1_700_000_000;

#[derive(Clone, Copy, Debug)]
struct Purchase {
    buyer: u8,
    shop: u8,
    amount: i64,
    /// In seconds after [`START`].
    at: i64,
}

#[derive(Clone, Copy, Debug)]
struct Complaint {
    shop: u8,
    grave: bool,
    at: i64,
}

fn purchase(buyer: u8, amount: i64, at: i64) -> Purchase {
    Purchase { buyer, shop: 0, amount, at }
}

impl Purchase {
    /// Keyed by the buyer.
    fn given(self, partition: i32) -> Given {
        let Self { buyer, shop, amount, at } = self;
        let time = START + at;
        let value =
            format!("{{\"buyer\":\"b{buyer}\",\"shop\":\"s{shop}\",\"amount\":{amount},\"at\":{time}}}");
        Given::value(value).with_key(format!("b{buyer}")).in_partition(partition)
    }
}

impl Complaint {
    /// Keyed by a number of its own.
    fn given(self, partition: i32, id: usize) -> Given {
        let Self { shop, grave, at } = self;
        let time = START + at;
        let value = format!("{{\"shop\":\"s{shop}\",\"grave\":{grave},\"told\":{time}}}");
        Given::value(value).with_key(id.to_string()).in_partition(partition).in_source(1)
    }
}

/// Purchases, of which sections behind make something. `source`: more keys of their source.
fn release(top: &str, source: &str, sections: &str) -> Release {
    let text = format!(
        r#"
        name = "shops"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        {top}
        [[source]]
        topic = "purchases"
        time_unit = "s"
        columns = {{ buyer = "text", shop = "text", amount = "int", at = "time" }}
        partitioned_by = ["buyer"]
        event_time = "at"
        {source}
        {sections}
        "#
    );
    let config = Config::parse(&text, Path::new(""), []).unwrap_or_else(|error| panic!("{}", error.report()));
    let runtimes = Runtimes::new(None, None).expect("runtimes");
    Release::load(&config, &runtimes).unwrap_or_else(|error| panic!("{}", error.report()))
}

/// A features stage.
fn stage(plugin: &str, key: &str) -> String {
    format!("[[features]]\nplugin = \"{}\"\nkey = \"{key}\"\n", guest(plugin).display())
}

fn driver(release: &Release, partitions: i32) -> Driver {
    let parts = release.parts().expect("instances");
    Driver::with_partitions(Arc::clone(release.pipeline()), parts, partitions)
}

/// Those that went to a topic.
fn of<'a>(sent: &'a [Sent], topic: &str) -> Vec<&'a Sent> {
    sent.iter().filter(|message| message.topic == topic).collect()
}
