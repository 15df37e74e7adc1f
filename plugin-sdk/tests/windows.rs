//! What the compiler says of windows that don't fit the row. It evaluates `kind_of`; so do these tests.

use std::panic::{UnwindSafe, catch_unwind};

use tailwater_sdk::prelude::*;
use tailwater_sdk::{Cell, Kind, check_closing, check_lookups, kind_of};

#[derive(Row)]
#[allow(dead_code)]
struct Payment<'a> {
    amount: f64,
    tip: Option<f64>,
    items: i64,
    at: Time,
    declined: bool,
    single: f32,
    country: &'a str,
    device: Option<&'a [u8]>,
    embedding: &'a [f32],
}

struct Largest;

#[derive(Row)]
struct Entry {
    amount: f64,
}

#[derive(Register)]
struct Most {
    amount: f64,
}

impl Fold for Largest {
    type Entry = Entry;
    type Register = Most;
    type Cell = Option<f64>;
    const NAME: &'static str = "largest";

    fn add(most: &mut Most, entry: &Entry, _: Time) {
        most.amount = most.amount.max(entry.amount);
    }

    fn merge(most: &mut Most, other: &Most) {
        most.amount = most.amount.max(other.amount);
    }

    fn emit(most: &Most) -> Option<f64> {
        Some(most.amount)
    }
}

struct Devices;

#[derive(Row)]
#[allow(dead_code)]
struct Device<'a> {
    device: Option<&'a [u8]>,
}

impl Fold for Devices {
    type Entry = Device<'static>;
    type Register = Most;
    type Cell = f64;
    const NAME: &'static str = "devices";

    fn add(_: &mut Most, _: &Device<'_>, _: Time) {}

    fn merge(_: &mut Most, _: &Most) {}

    fn emit(most: &Most) -> f64 {
        most.amount
    }
}

/// The kind of a field's value, or what the compiler says.
fn kind<W: Windows, R: tailwater_sdk::Fields, T: Cell>(field: usize) -> Result<Kind, String> {
    catch(|| kind_of::<W, R, T>(field))
}

/// What comes, or what the compiler says.
fn catch<T>(evaluate: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    catch_unwind(evaluate).map_err(|panic| {
        let fixed = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        fixed.unwrap_or_else(|| *panic.downcast::<String>().expect("a text"))
    })
}

#[test]
fn the_kind_of_a_value_follows_from_fold_and_column() {
    #[derive(Windows)]
    #[allow(dead_code)]
    struct W {
        #[count("1h")]
        count: i64,
        #[sum("amount", "1h")]
        sum: f64,
        #[sum("at", "1h")]
        times: i64,
        #[sum("declined", "1h")]
        declined: i64,
        #[min("at", "1h")]
        first: Option<Time>,
        #[max("single", "1h")]
        most: Option<f64>,
        #[latest("declined")]
        before: Option<i64>,
        #[mean("items", "1h", filter = "declined")]
        mean: Option<f64>,
        #[fold(Largest, "1h")]
        largest: Option<f64>,
        #[distinct("country", "1h")]
        countries: i64,
        #[count("device", "1h")]
        devices: i64,
    }
    let kinds: Vec<_> = (0..11).map(|field| kind::<W, Payment, f64>(field).unwrap()).collect();
    let (float, int) = (Kind::Float, Kind::Int);
    assert_eq!(kinds, [int, float, int, int, Kind::Time, float, int, float, float, int, int]);
}

#[test]
fn mistakes_name_the_field_and_the_column() {
    #[derive(Windows)]
    #[allow(dead_code)]
    struct W {
        #[sum("amuont", "7d")]
        sum: f64,
        #[count("7d", filter = "amount")]
        filtered: i64,
        #[count("7d", filter = "decined")]
        missing: i64,
        #[mean("items", "7d")]
        mean: i64,
        #[fold(Largest, "7d")]
        largest: f64,
    }
    #[derive(Row)]
    #[allow(dead_code)]
    struct Other {
        amount: i64,
    }
    #[derive(Row)]
    #[allow(dead_code)]
    struct Gaps {
        amount: Option<f64>,
    }
    let says = |found: Result<Kind, String>| found.unwrap_err();
    assert_eq!(says(kind::<W, Payment, f64>(0)), "W::sum: the row has no column `amuont`");
    assert_eq!(says(kind::<W, Payment, i64>(1)), "W::filtered: the row has no boolean column `amount`");
    assert_eq!(says(kind::<W, Payment, i64>(2)), "W::missing: the row has no boolean column `decined`");
    assert_eq!(says(kind::<W, Payment, i64>(3)), "W::mean: the value is of another type than the field");
    let entry = "W::largest: the row lacks a column of the entry of Largest, or has it with another type";
    assert_eq!(says(kind::<W, Other, f64>(4)), entry);
    assert_eq!(says(kind::<W, Gaps, f64>(4)), entry);
    assert_eq!(kind::<W, Payment, f64>(4), Ok(Kind::Float));
}

#[test]
fn texts_are_counted_and_no_more() {
    #[derive(Windows)]
    #[allow(dead_code)]
    #[input("payments", Payment<'_>)]
    struct W {
        #[latest("country")]
        country: Option<i64>,
        #[top_k("device", 3, "1h", from = "payments")]
        devices: Option<f64>,
        #[count("embedding", "1h")]
        embeddings: i64,
        #[fold(Devices, "1h")]
        fold: f64,
        #[sum("amuont", "1h", from = "payments")]
        sum: f64,
    }
    let says = |field: usize, starts: &str| {
        let said = kind::<W, Payment, f64>(field).unwrap_err();
        assert!(said.starts_with(starts), "{said}");
    };
    says(0, "W::country: this can't be had of the type of `country`; of texts and bytes there are count");
    says(1, "W::devices: this can't be had of the type of `device`");
    says(2, "W::embeddings: this can't be had of the type of `embedding`");
    says(3, "an entry of a fold keeps no texts, bytes and lists of floats");
    says(4, "W::sum: the row of the input `payments` has no column `amuont`");
}

#[test]
fn keys_of_tables_are_columns_of_the_row() {
    #[derive(Windows)]
    #[allow(dead_code)]
    struct W {
        #[lookup("items", "items", "name")]
        item: Option<String>,
        #[lookup("countries", "country", "name")]
        country: Option<String>,
        #[lookup("devices", "device", "name")]
        device: Option<Vec<u8>>,
    }
    #[derive(Windows)]
    #[allow(dead_code)]
    struct ByTime {
        #[lookup("days", "at", "name")]
        day: Option<String>,
    }
    #[derive(Windows)]
    #[allow(dead_code)]
    struct ByNothing {
        #[lookup("cities", "city", "name")]
        city: Option<String>,
    }
    assert_eq!(catch(check_lookups::<W, Payment>), Ok(()));
    let by_time = "ByTime::day: the row has no column `at` of kind int, text or bytes";
    assert_eq!(catch(check_lookups::<ByTime, Payment>).unwrap_err(), by_time);
    let by_nothing = "ByNothing::city: the row has no column `city` of kind int, text or bytes";
    assert_eq!(catch(check_lookups::<ByNothing, Payment>).unwrap_err(), by_nothing);
}

#[test]
fn closed_windows_are_of_one_kind() {
    #[derive(Row)]
    #[allow(dead_code)]
    struct Closed {
        card_id: i64,
        #[column("@start")]
        start: Time,
        #[column("@end")]
        end: Time,
        #[column("@revision")]
        revision: i64,
    }
    macro_rules! closing {
        ($row:ty: $(#[$attribute:ident $arguments:tt])*) => {{
            closing!(@ [$row] [a b c] [] $(#[$attribute $arguments])*)
        }};
        (@ [$row:ty] [$next:ident $($names:ident)*] [$($fields:tt)*] #[$attribute:ident $arguments:tt] $($more:tt)*) => {
            closing!(@ [$row] [$($names)*] [$($fields)* #[$attribute $arguments] $next: f64,] $($more)*)
        };
        (@ [$row:ty] [$($names:ident)*] [$($fields:tt)*]) => {{
            #[derive(Windows)]
            #[allow(dead_code)]
            struct W { $($fields)* }
            catch(check_closing::<W, $row>)
        }};
    }
    assert_eq!(closing!(Closed: #[count(tumbling("1h"))] #[mean("amount", tumbling("1h"))]), Ok(()));
    assert_eq!(closing!(Closed: #[count(hopping("1h", "1m"))]), Ok(()));
    assert_eq!(closing!(Closed: #[count(session("1h"))] #[distinct("country", session("60m"))]), Ok(()));
    let says = |found: Result<(), String>, start: &str| {
        let said = found.unwrap_err();
        assert!(said.starts_with(start), "{said}");
    };
    says(closing!(Closed:), "a function on closed windows takes values of windows");
    let (first, second) = ("W::a: closed windows are all one", "W::b: closed windows are all one");
    says(closing!(Closed: #[count("1h")]), first);
    says(closing!(Closed: #[count(last(10))]), first);
    says(closing!(Closed: #[count("forever")]), first);
    says(closing!(Closed: #[count(tumbling("1h"))] #[count(tumbling("2h"))]), second);
    says(closing!(Closed: #[count(session("1h"))] #[count(tumbling("1h"))]), second);
    says(closing!(Closed: #[count(hopping("1h", "1m"))] #[count(hopping("1h", "2m"))]), second);
    says(closing!(Closed: #[count(session("1h"))] #[latest("amount", session("1h"))]), second);
    says(closing!(Closed: #[since_latest(session("1h"))]), first);
    says(closing!(Closed: #[fold(Largest, session("1h"))]), first);

    macro_rules! closed {
        ($name:literal: $type:ty) => {{
            #[derive(Row)]
            #[allow(dead_code)]
            struct Closed {
                #[column($name)]
                field: $type,
            }
            closing!(Closed: #[count(tumbling("1h"))])
        }};
    }
    says(closed!("card_id": Option<i64>), "a column of a closed window has a value in each");
    says(closed!("@start": i64), "`@start` of a closed window is a Time");
    says(closed!("@end": f64), "`@end` of a closed window is a Time");
    says(closed!("@revision": Time), "`@revision` of a closed window is an i64");
    assert_eq!(closed!("card_id": String), Ok(()));
}
