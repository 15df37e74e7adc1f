//! Rows in, rows out, through batches.

use tailwater_sdk::describe::Description;
use tailwater_sdk::prelude::*;
use tailwater_sdk::{Kind, testing};

mod all_kinds {
    use super::*;

    #[derive(Row, Debug, PartialEq, Clone)]
    pub(crate) struct Wide<'a> {
        pub(crate) yes: bool,
        pub(crate) int: i64,
        pub(crate) float: f64,
        pub(crate) single: f32,
        pub(crate) time: Time,
        #[column("card.country")]
        pub(crate) text: &'a str,
        pub(crate) bytes: &'a [u8],
        pub(crate) floats: &'a [f32],
        pub(crate) maybe_yes: Option<bool>,
        pub(crate) maybe_int: Option<i64>,
        pub(crate) maybe_float: Option<f64>,
        pub(crate) maybe_single: Option<f32>,
        pub(crate) maybe_time: Option<Time>,
        pub(crate) maybe_text: Option<&'a str>,
        pub(crate) maybe_bytes: Option<&'a [u8]>,
        pub(crate) maybe_floats: Option<Vec<f32>>,
        pub(crate) r#type: String,
    }

    #[preprocessor]
    fn same<'a>(row: &Wide<'a>) -> Wide<'a> {
        row.clone()
    }
}

use all_kinds::Wide;

fn wide(n: usize, text: &str) -> Wide<'_> {
    let some = !n.is_multiple_of(3);
    Wide {
        yes: n.is_multiple_of(2),
        int: n as i64 - 5,
        float: n as f64 / 3.0,
        single: n as f32 / 7.0,
        time: Time(1_795_356_693_042 + n as i64),
        text: &text[..n],
        bytes: &text.as_bytes()[n..],
        floats: &[1.5, -0.0, f32::INFINITY][..n % 4],
        maybe_yes: some.then_some(true),
        maybe_int: some.then_some(i64::MIN),
        maybe_float: some.then_some(1e300),
        maybe_single: some.then_some(f32::MIN_POSITIVE),
        maybe_time: some.then_some(Time(-1)),
        maybe_text: some.then_some("é"),
        maybe_bytes: some.then_some(&[0xff, 0]),
        maybe_floats: some.then(|| vec![n as f32; n % 5]),
        r#type: "t".repeat(n),
    }
}

#[test]
fn every_kind_survives_with_and_without_nulls() {
    let text = "abcdefghijklmnopqrstuvwxyz";
    let mut plugin = testing::start(all_kinds::plugin(), &[]).unwrap();
    for rows in [0, 1, 8, 20] {
        let rows: Vec<_> = (0..rows).map(|n| wide(n, text)).collect();
        let cleaned = plugin.process(&rows);
        assert_eq!(cleaned.rows::<Wide>(), rows);
        assert_eq!(cleaned.origin, (0..rows.len() as u32).collect::<Vec<_>>());
    }
}

#[test]
fn columns_are_described_as_the_struct_has_them() {
    let plugin = testing::start(all_kinds::plugin(), &[]).unwrap();
    let Description::Preprocessor(description) = plugin.description() else { panic!() };
    let columns: Vec<_> = description.input.iter().map(|c| (c.name.as_ref(), c.kind, c.nullable)).collect();
    assert_eq!(columns[5], ("card.country", Kind::Text, false));
    assert_eq!(columns[12], ("maybe_time", Kind::Time, true));
    assert_eq!(columns[16], ("type", Kind::Text, false));
}

mod outcomes {
    use super::*;

    #[derive(Row)]
    pub(crate) struct N {
        pub(crate) n: i64,
    }

    #[derive(Row, Debug, PartialEq)]
    pub(crate) struct Part<'a> {
        pub(crate) n: i64,
        pub(crate) of: &'a str,
    }

    pub(crate) mod split {
        use super::*;

        #[derive(Settings)]
        struct Most {
            #[default(3)]
            most: i64,
        }

        #[preprocessor]
        fn split(row: &N, settings: &Most) -> Result<Option<Vec<Part<'static>>>, Rejection> {
            match row.n {
                n if n > settings.most => Err(Rejection::new(7, format!("{n} is too many"))),
                n if n < 0 => Ok(None),
                n => Ok(Some((0..n).map(|n| Part { n, of: "some" }).collect())),
            }
        }
    }
}

use outcomes::{N, Part};

#[test]
fn rows_are_dropped_split_and_refused() {
    let mut plugin = testing::start(outcomes::split::plugin(), &[("most", 4.into())]).unwrap();
    for _ in 0..2 {
        let cleaned = plugin.process(&[N { n: 2 }, N { n: -1 }, N { n: 5 }, N { n: 0 }, N { n: 1 }]);
        let rows = cleaned.rows::<Part>();
        assert_eq!(rows.iter().map(|part| part.n).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(cleaned.origin, [0, 0, 4]);
        let [rejected] = &cleaned.rejected[..] else { panic!("{:?}", cleaned.rejected) };
        assert_eq!((rejected.row, rejected.why.code), (2, 7));
        assert_eq!(rejected.why.message, "5 is too many");
    }
}

#[test]
fn a_plugin_started_again_has_its_own_settings() {
    let plugin = outcomes::split::plugin();
    let mut four = testing::start(plugin, &[("most", 4.into())]).unwrap();
    let mut three = testing::start(plugin, &[]).unwrap();
    assert_eq!(four.process(&[N { n: 4 }]).rejected.len(), 0);
    assert_eq!(three.process(&[N { n: 4 }]).rejected.len(), 1);
}
