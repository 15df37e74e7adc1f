//! What is fed, what runs on it, and what must come out: plain data.
//!
//! Event time goes on by [`STEP_MS`] a purchase. Some purchases and complaints are stragglers, which are in time; a few
//! are late beyond doubt. Whether a row is late depends on the rows before it in its partition alone, because each task
//! that judges lateness reads one partition, and none is ever idle: see [`super::oracle`].

use super::oracle::Cells;
use super::random::Random;
use crate::guest;

/// Partitions of all topics.
pub const PARTITIONS: i32 = 4;
/// Of event time, from one purchase to the next.
const STEP_MS: i64 = 100;
/// Where event time begins.
const START_MS: i64 = 1_000_000;
/// The last rows are that far ahead of all others, so that watermarks pass those.
const LAST_AHEAD_MS: i64 = 3_600_000;
/// After so long a partition is not waited for: of a source all of whose partitions have rows, and of one of which not.
const NEVER: &str = "1h";
const IDLENESS: &str = "3s";
const BUYERS: u64 = 40;
const SHOPS: u64 = 5;

/// Which windows, which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By buyer; each row is scored as it comes.
    Arrival,
    /// By buyer, then by shop, with complaints, in the order of event time.
    TwoKeys,
    /// Minutes of a buyer come out when they are over, and again.
    Close,
}

/// A campaign.
#[derive(Debug)]
pub struct Campaign {
    pub name: &'static str,
    pub kind: Kind,
    /// How much older than the newest of its partition a row may be without being late.
    pub out_of_orderness_ms: i64,
    pub allowed_lateness_ms: i64,
    /// How far stragglers are behind, at most.
    straggle_ms: u64,
    /// A partition of the complaints that has none, but for the last row.
    idle: Option<i32>,
    /// What is compared.
    pub columns: &'static [&'static str],
    /// Of them, those that some releases lack: these say -1.
    pub lacked: &'static [&'static str],
}

const TWO_KEYS: &[&str] = &[
    "sliding",
    "hopping",
    "tumbling",
    "session",
    "last",
    "shops",
    "most",
    "turnover",
    "complaints",
    "grave",
    "seen_before",
];

/// The load of [`crate::swaps`]: two keys, and a partition that is idle.
pub static SWAPPED: Campaign = Campaign {
    name: "swapped",
    kind: Kind::TwoKeys,
    out_of_orderness_ms: 5_000,
    allowed_lateness_ms: 0,
    straggle_ms: 4_000,
    idle: Some(3),
    columns: TWO_KEYS,
    lacked: &["hopping", "tumbling"],
};

/// All there are.
pub const CAMPAIGNS: [Campaign; 3] = [
    Campaign {
        name: "arrival",
        kind: Kind::Arrival,
        out_of_orderness_ms: 2_000,
        allowed_lateness_ms: 20_000,
        straggle_ms: 15_000,
        idle: None,
        columns: &["sliding", "hopping", "tumbling", "session", "last", "shops", "most"],
        lacked: &[],
    },
    Campaign {
        name: "two-keys",
        kind: Kind::TwoKeys,
        out_of_orderness_ms: 5_000,
        allowed_lateness_ms: 0,
        straggle_ms: 4_000,
        idle: None,
        columns: TWO_KEYS,
        lacked: &[],
    },
    Campaign {
        name: "close",
        kind: Kind::Close,
        out_of_orderness_ms: 2_000,
        allowed_lateness_ms: 60_000,
        straggle_ms: 15_000,
        idle: None,
        columns: &["purchases", "sum", "most", "seconds", "letters"],
        lacked: &[],
    },
];

/// A record to be fed.
#[derive(Clone, Debug)]
pub struct Given {
    /// Index of its source.
    pub source: usize,
    pub partition: i32,
    pub key: String,
    pub value: String,
}

impl Campaign {
    pub fn named(name: &str) -> Option<&'static Self> {
        CAMPAIGNS.iter().find(|campaign| campaign.name == name)
    }

    /// What is wanted stands where a release lacks a column.
    pub fn filled(&self, columns: &[&str], wanted: &Cells, mut got: Cells) -> Cells {
        for ((column, wanted), got) in columns.iter().zip(wanted).zip(&mut got) {
            if *got == Some(-1.0) && self.lacked.contains(column) {
                *got = *wanted;
            }
        }
        got
    }

    /// Topics of the sources, behind the prefix.
    pub fn sources(&self) -> &'static [&'static str] {
        if self.kind == Kind::TwoKeys { &["purchases", "complaints"] } else { &["purchases"] }
    }

    /// Sources and stages of the pipeline; `top`: keys before all sections.
    pub fn pipeline(&self, top: &str, kafka: &str, prefix: &str) -> String {
        let stage = |plugin: &str, key: &str| {
            format!("[[features]]\nplugin = \"{}\"\nkey = \"{key}\"\n", guest(plugin).display())
        };
        let stages = match self.kind {
            Kind::Arrival => stage("buyers", "buyer"),
            Kind::TwoKeys => stage("buyers", "buyer") + &stage("shops", "shop"),
            Kind::Close => stage("minutes", "buyer"),
        };
        self.front(top, kafka, prefix) + &stages
    }

    /// All but the stages.
    pub fn front(&self, top: &str, kafka: &str, prefix: &str) -> String {
        let order = if self.kind == Kind::TwoKeys { "event-time" } else { "arrival" };
        let times = |idleness: &str| {
            format!(
                "out_of_orderness = \"{}ms\"\nallowed_lateness = \"{}ms\"\nidleness = \"{idleness}\"",
                self.out_of_orderness_ms, self.allowed_lateness_ms
            )
        };
        let complaints = match self.kind {
            Kind::TwoKeys => format!(
                "[[source]]\nname = \"complaints\"\ntopic = \"{prefix}-complaints\"\nevent_time = \"told\"\n{}\n\
                 columns = {{ shop = \"text\", grave = \"boolean\", told = \"time\" }}\n",
                times(if self.idle.is_some() { IDLENESS } else { NEVER })
            ),
            _ => String::new(),
        };
        format!(
            "name = \"{prefix}\"\nthreads = 2\norder = \"{order}\"\n{top}\nroutes.output.topic = \"{prefix}-out\"\n\
             dead_letters.topic = \"{prefix}-dead\"\nlate.topic = \"{prefix}-late\"\n{kafka}\n\
             [[source]]\ntopic = \"{prefix}-purchases\"\npartitioned_by = [\"buyer\"]\nevent_time = \"at\"\n{}\n\
             columns = {{ id = \"int\", buyer = \"text\", shop = \"text\", amount = \"int\", at = \"time\" }}\n{complaints}",
            times(NEVER)
        )
    }

    /// The rows of step `n`.
    pub fn rows(&self, n: u64, random: &mut Random) -> Vec<Given> {
        let clock = START_MS + n as i64 * STEP_MS;
        let mut at = || match n {
            // Late by more than is allowed, wherever it lands.
            n if n % 701 == 700 => (clock - self.allowed_lateness_ms - 120_000).max(0),
            _ if random.chance(5) => clock - random.below(self.straggle_ms) as i64,
            _ => clock,
        };
        let (at, told) = (at(), at());
        let (buyer, shop) = (random.below(BUYERS), random.below(SHOPS));
        let mut rows = vec![purchase(n, &format!("b{buyer}"), shop, 1 + random.below(50), at)];
        if self.sources().len() > 1 && n.is_multiple_of(10) {
            let key = n.to_string();
            let partition = partition_of(&key);
            let partition = if self.idle == Some(partition) { 0 } else { partition };
            rows.push(complaint(partition, key, random.below(SHOPS), random.chance(40), told));
        }
        rows
    }

    /// What comes last: to each partition a row far ahead.
    pub fn last_rows(&self, n: u64) -> Vec<Given> {
        let at = START_MS + n as i64 * STEP_MS + LAST_AHEAD_MS;
        let mut rows = Vec::new();
        for partition in 0..PARTITIONS {
            let mut names = (0..BUYERS).map(|buyer| format!("b{buyer}"));
            let buyer =
                names.find(|buyer| partition_of(buyer) == partition).expect("each partition has buyers");
            rows.push(purchase(n, &buyer, 0, 1, at));
            if self.sources().len() > 1 {
                rows.push(complaint(partition, String::new(), 0, false, at));
            }
        }
        rows
    }
}

/// Event time at step `n`.
pub fn clock(n: u64) -> i64 {
    START_MS + n as i64 * STEP_MS
}

fn purchase(id: u64, buyer: &str, shop: u64, amount: u64, at: i64) -> Given {
    Given {
        source: 0,
        partition: partition_of(buyer),
        key: buyer.to_owned(),
        value: format!(
            "{{\"id\":{id},\"buyer\":\"{buyer}\",\"shop\":\"s{shop}\",\"amount\":{amount},\"at\":{at}}}"
        ),
    }
}

fn complaint(partition: i32, key: String, shop: u64, grave: bool, told: i64) -> Given {
    let value = format!("{{\"shop\":\"s{shop}\",\"grave\":{grave},\"told\":{told}}}");
    Given { source: 1, partition, key, value }
}

/// Where a Java producer sends a key.
fn partition_of(key: &str) -> i32 {
    (murmur2(key.as_bytes()) & 0x7fff_ffff) as i32 % PARTITIONS
}

fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ bytes.len() as u32;
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        let word = u32::from_le_bytes(word.try_into().expect("four bytes")).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (word ^ word >> 24).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        rest.iter().enumerate().for_each(|(at, byte)| hash ^= u32::from(*byte) << (8 * at));
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_land_where_java_has_them() {
        // From Kafka's own tests.
        for (key, hash) in
            [("21", -973_932_308i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
        {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn each_partition_has_buyers_and_a_last_row() {
        for campaign in &CAMPAIGNS {
            let rows = campaign.last_rows(1_000);
            let sources = campaign.sources().len();
            assert_eq!(rows.len(), PARTITIONS as usize * sources);
        }
    }
}
