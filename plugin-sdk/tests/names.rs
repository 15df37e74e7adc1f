//! Fields, functions and constants may be called as they like: also as what the derives might call
//! something of their own.

use tailwater_sdk::prelude::*;
use tailwater_sdk::{Table, Value, testing};

mod structs {
    #![allow(non_upper_case_globals, dead_code)]

    use tailwater_sdk::prelude::*;

    // A derive that bound one of these names would mean the constant.
    const value: () = ();
    const bytes: () = ();
    const rest: () = ();
    const table: () = ();
    const batch: () = ();
    const at: () = ();
    const first: () = ();
    const row: () = ();
    const readers: () = ();
    const writers: () = ();
    const matrix: () = ();
    const ids: () = ();

    #[derive(Register, Debug, PartialEq)]
    pub(crate) struct Known {
        pub(crate) value: u32,
        pub(crate) bytes: u8,
        pub(crate) rest: u32,
        pub(crate) register: u16,
        pub(crate) self_: u64,
    }

    #[derive(Row, Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Event {
        pub(crate) value: i64,
        pub(crate) rows: i64,
        pub(crate) row: i64,
        pub(crate) batch: i64,
        pub(crate) at: i64,
        pub(crate) readers: i64,
        pub(crate) writers: i64,
        pub(crate) this: i64,
        pub(crate) r#type: i64,
    }

    impl Event {
        /// Not the derive's.
        pub(crate) const COLUMNS: usize = 9;
    }

    #[derive(View, Clone, Copy)]
    pub(crate) struct Seen {
        pub(crate) batch: i64,
        pub(crate) row: i64,
        #[score]
        pub(crate) readers: f64,
    }

    #[derive(Windows)]
    pub(crate) struct Counts {
        #[count("1h")]
        pub(crate) first: i64,
        #[count("2h")]
        pub(crate) row: i64,
        #[count("3h")]
        pub(crate) writers: i64,
    }

    #[derive(Features)]
    pub(crate) struct Vector {
        pub(crate) matrix: f32,
        pub(crate) ids: i64,
        #[id]
        pub(crate) value: i64,
        pub(crate) self_: bool,
    }

    #[derive(Settings, Debug, PartialEq)]
    pub(crate) struct Limits {
        pub(crate) table: i64,
        pub(crate) value: f64,
        pub(crate) rest: Option<String>,
    }
}

use structs::{Counts, Event, Known, Limits, Seen, Vector};

const EVENT: Event =
    Event { value: 1, rows: 2, row: 3, batch: 4, at: 5, readers: 6, writers: 7, this: 8, r#type: 9 };

fn limits() -> [(&'static str, Value); 3] {
    [("table", 10.into()), ("value", 0.5.into()), ("rest", "more".into())]
}

#[test]
fn registers_lie_in_the_order_of_their_fields() {
    let known = Known { value: 1, bytes: 2, rest: 3, register: 4, self_: 5 };
    let mut bytes = [0xff; 19];
    known.store(&mut bytes);
    assert_eq!(bytes, [1, 0, 0, 0, 2, 3, 0, 0, 0, 4, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Known::load(&bytes), known);
}

#[test]
fn settings_go_to_the_field_of_their_name() {
    let entries = limits().map(|(name, value)| (name.to_owned(), value));
    let expected = Limits { table: 10, value: 0.5, rest: Some("more".to_owned()) };
    assert_eq!(Limits::from_table(&Table::new(entries.to_vec())), Ok(expected));
}

#[test]
fn defaults_see_what_is_outside_of_the_struct() {
    #![allow(non_upper_case_globals)]
    const table: i64 = 10;
    const value: i64 = 20;

    #[derive(Settings, Debug, PartialEq)]
    struct Defaults {
        #[default(1)]
        table: i64,
        #[default(2)]
        value: i64,
        #[default(table + value)]
        sum: i64,
    }

    let defaults = Defaults::from_table(&Table::default());
    assert_eq!(defaults, Ok(Defaults { table: 1, value: 2, sum: 30 }));
}

/// Each is called like a parameter of the function around it.
mod functions {
    pub(crate) mod cleaning {
        use crate::{Event, Limits};
        use tailwater_sdk::prelude::*;

        #[preprocessor]
        fn row(event: &Event, limits: &Limits) -> Event {
            Event { value: limits.table, ..*event }
        }
    }

    pub(crate) mod copying {
        use crate::Event;
        use tailwater_sdk::prelude::*;

        #[preprocessor]
        fn out(event: &Event) -> Event {
            *event
        }
    }

    pub(crate) mod computing {
        use crate::{Counts, Event, Limits, Vector};
        use tailwater_sdk::prelude::*;

        #[features]
        fn windows(event: &Event, counts: &Counts, limits: &Limits) -> Vector {
            let matrix = counts.first as f32 + limits.value as f32;
            Vector { matrix, ids: counts.row, value: event.r#type, self_: counts.writers == 3 }
        }
    }

    pub(crate) mod deciding {
        use crate::{EVENT, Event, Limits, Seen};
        use tailwater_sdk::prelude::*;

        #[rules]
        fn settings(seen: &Seen, _: &Limits) -> Event {
            Event { batch: seen.row, row: seen.batch, readers: seen.readers as i64, ..EVENT }
        }
    }
}

#[test]
fn rows_keep_their_fields_apart() {
    let mut cleaning = testing::start(functions::cleaning::plugin(), &limits()).unwrap();
    assert_eq!(cleaning.process(&[EVENT]).rows::<Event>(), [Event { value: 10, ..EVENT }]);
    let mut copying = testing::start(functions::copying::plugin(), &[]).unwrap();
    assert_eq!(copying.process(&[EVENT]).rows::<Event>(), [EVENT]);
    assert_eq!(Event::COLUMNS, 9);
}

#[test]
fn windows_and_vectors_keep_their_fields_apart() {
    let mut computing = testing::start(functions::computing::plugin(), &limits()).unwrap();
    let vectors = computing.compute(&[EVENT], &[Counts { first: 1, row: 2, writers: 3 }]);
    assert_eq!(vectors.vector(0), [1.5, 2.0, 1.0]);
}

#[test]
fn views_keep_their_fields_apart() {
    let mut deciding = testing::start(functions::deciding::plugin(), &limits()).unwrap();
    let decisions = deciding.decide(&[Seen { batch: 1, row: 2, readers: 3.0 }]);
    assert_eq!(decisions.rows::<Event>(), [Event { batch: 2, row: 1, readers: 3, ..EVENT }]);
}
