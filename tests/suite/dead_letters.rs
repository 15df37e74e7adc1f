//! Bad records and bad plugins: the guilty become dead letters, the others go on, once and in order.

use std::path::Path;
use std::time::Duration;

use tailwater::config::Config;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::error::{Code, Error};
use tailwater::release::{Release, Runtimes};
use tailwater_tests::guest;

/// A pipeline of numbers through one hostile stage.
fn pipeline(stage: &str, guest_name: &str, mode: &str, more: &str) -> Result<Driver, Error> {
    let plugin = guest(guest_name);
    let (preprocess, columns) = match stage {
        "[preprocess]" => (true, ""),
        _ => (false, "columns = { n = \"int\", t = \"time\" }"),
    };
    let text = format!(
        r#"
        name = "numbers"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        {more}
        [[source]]
        topic = "in"
        {columns}
        {keys}
        {stage}
        plugin = "{plugin}"
        settings = {{ mode = "{mode}" }}
        time_limit = "{time}"
        memory_limit = "16MiB"
        {key}
        "#,
        plugin = plugin.display(),
        // Enough for what is innocent, however busy the machine is.
        time = if mode == "spin" { "100ms" } else { "10s" },
        keys = if preprocess { "" } else { "partitioned_by = [\"n\"]\nevent_time = \"t\"" },
        key = if stage == "[[features]]" { "key = \"n\"" } else { "" },
    );
    let config = Config::parse(&text, Path::new(""), [])?;
    let release = Release::load(&config, &Runtimes::new(None, None)?)?;
    Driver::new(&release)
}

fn number(n: i64) -> Given {
    Given::value(format!("{{\"n\":{n},\"t\":{n}}}")).with_key(n.to_string())
}

/// A hundred numbers, three of them 13, in batches of 64.
fn feed(driver: &mut Driver) -> (Vec<Sent>, Vec<Sent>) {
    for n in 100..200 {
        driver.give(number(if [107, 150, 151].contains(&n) { 13 } else { n }));
    }
    driver.cut(vec![64]);
    let sent = driver.run().expect("the pipeline goes on");
    sent.into_iter().partition(|message| message.topic == "out")
}

/// The other 97 came out once and in order, the three are dead letters with this code.
fn only_the_guilty(driver: &mut Driver, stage: &str, code: Code) -> Vec<Sent> {
    let (out, dead) = feed(driver);
    let numbers: Vec<i64> =
        out.iter().map(|message| message.json()["n"].as_i64().expect("a number")).collect();
    let innocent: Vec<i64> = (100..200).filter(|n| ![107, 150, 151].contains(n)).collect();
    assert_eq!(numbers, innocent);
    assert_eq!(dead.len(), 3);
    for (letter, offset) in dead.iter().zip([7, 50, 51]) {
        assert_eq!(letter.topic, "dead");
        assert_eq!(letter.value.as_deref(), Some(b"{\"n\":13,\"t\":13}".as_slice()));
        assert_eq!(letter.key.as_deref(), Some(b"13".as_slice()));
        assert_eq!(letter.header("tailwater-stage"), stage);
        assert_eq!(letter.header("tailwater-code"), code.to_string());
        assert_eq!(letter.header("tailwater-topic"), "in");
        assert_eq!(letter.header("tailwater-partition"), "0");
        assert_eq!(letter.header("tailwater-offset"), offset.to_string());
        assert_eq!(letter.header("tailwater-origin"), format!("in/0/{offset}/0"));
        assert!(!letter.header("tailwater-message").is_empty());
    }
    dead
}

/// What a plugin of any world can do wrong: the mode, what it is, and a part of what is said.
const IN_ANY_WORLD: [(&str, Code, &str); 8] = [
    ("trap", Code::PluginTrap, "thirteen is too much"),
    ("recurse", Code::PluginTrap, "stack"),
    ("spin", Code::PluginTime, "100ms"),
    ("allocate", Code::PluginMemory, "memory"),
    ("count", Code::PluginOutput, "4294967295 rows"),
    ("spans", Code::PluginOutput, "outside of"),
    ("few-spans", Code::PluginOutput, "spans for"),
    ("overlap", Code::PluginOutput, "overlap"),
];

/// In each mode, the guilty rows alone are dead letters, with what is said of them.
fn misbehaving(section: &str, guest_name: &str, own: &[(&str, Code, &str)]) {
    let stage = section.trim_matches(['[', ']']);
    for (mode, code, says) in IN_ANY_WORLD.iter().chain(own) {
        let mut driver = pipeline(section, guest_name, mode, "").expect("it loads");
        let dead = only_the_guilty(&mut driver, stage, *code);
        let message = dead[0].header("tailwater-message");
        assert!(message.contains(says), "{guest_name}, {mode}: {message}");
        assert_eq!(dead[0].header("tailwater-plugin").len(), 64);
    }
}

#[test]
fn a_preprocessor_that_misbehaves() {
    let own = [
        ("origin", Code::PluginOutput, "4000000"),
        ("origin-short", Code::PluginOutput, "origin has"),
        ("origin-falls", Code::PluginOutput, "origin falls"),
        ("split", Code::PluginOutput, "256 are allowed"),
        ("twice", Code::PluginOutput, "rejected twice"),
        ("both", Code::PluginOutput, "is rejected, and rows are made of it"),
    ];
    misbehaving("[preprocess]", "hostile-preprocessor", &own);
}

#[test]
fn features_that_misbehave() {
    let own = [
        ("matrix", Code::PluginOutput, "a matrix of"),
        ("rows", Code::PluginOutput, "rows"),
        ("reject", Code::Rejected, "unlucky"),
        ("reject-none", Code::PluginOutput, "4000000"),
    ];
    misbehaving("[[features]]", "hostile-features", &own);
    // A feature that is no number is for the model to judge; without one it is a null in the decision.
    let mut driver = pipeline("[[features]]", "hostile-features", "nan", "").expect("it loads");
    let (out, dead) = feed(&mut driver);
    let null = |message: &&Sent| message.json()["number"].is_null();
    assert_eq!((out.len(), out.iter().filter(null).count(), dead.len()), (100, 3, 0));
}

#[test]
fn folds_that_misbehave() {
    let own = [
        ("registers", Code::PluginOutput, "bytes of registers"),
        ("few-cells", Code::PluginOutput, "rows, where"),
        ("many-cells", Code::PluginOutput, "rows"),
    ];
    misbehaving("[[features]]", "hostile-folds", &own);
}

#[test]
fn rules_that_misbehave() {
    let own = [
        ("route", Code::PluginOutput, "route 200, where there are 1"),
        ("routes", Code::PluginOutput, "routes for"),
        ("rows", Code::PluginOutput, "rows"),
        ("reject", Code::Rejected, "unlucky"),
        ("reject-none", Code::PluginOutput, "4000000"),
    ];
    misbehaving("[rules]", "hostile-rules", &own);
    let mut driver = pipeline("[rules]", "hostile-rules", "nowhere", "").expect("it loads");
    let (out, dead) = feed(&mut driver);
    assert_eq!((out.len(), dead.len()), (97, 0));
}

#[test]
fn partitions_wait_for_a_plugin_that_always_spins() {
    let mut driver = pipeline("[preprocess]", "hostile-preprocessor", "spin", "").expect("it loads");
    (100..110).for_each(|n| driver.give(number(n)));
    driver.advance(Duration::from_millis(100));
    driver.run().expect("it works");
    let committed = driver.committed();
    assert_eq!(committed.iter().map(|(_, next)| *next).collect::<Vec<_>>(), [10]);
    (0..100).for_each(|_| driver.give(number(13)));
    driver.advance(Duration::from_millis(100));
    for wait in [0, 10] {
        driver.advance(Duration::from_secs(wait));
        // The wait ends in a step in which nothing comes yet.
        let came = driver.run().expect("it waits").len() + driver.run().expect("it waits").len();
        assert_eq!((came, driver.committed()), (0, committed.clone()), "all of it comes again");
    }
}

#[test]
fn partitions_wait_for_a_plugin_that_fails_too_often() {
    let mut driver = pipeline("[preprocess]", "hostile-preprocessor", "trap", "").expect("it loads");
    (0..100).for_each(|_| driver.give(number(13)));
    driver.give(number(5));
    driver.cut(vec![40]);
    let came = |driver: &mut Driver, seconds| {
        driver.advance(Duration::from_secs(seconds));
        // The wait ends in a step in which nothing comes yet.
        driver.run().expect("it waits").len() + driver.run().expect("it goes on").len()
    };
    // What was read when it was noticed is in the dead letters; each wait is twice as long as the one before.
    assert_eq!([0, 9, 1, 19, 1].map(|seconds| came(&mut driver, seconds)), [40, 0, 40, 0, 21]);
    assert_eq!(driver.meter().paused.get(), 1);
    assert_eq!(came(&mut driver, 40), 0);
    assert_eq!(driver.meter().paused.get(), 0);
    driver.give(number(6));
    assert_eq!(driver.run().expect("it works").len(), 1);
    let mut tolerant =
        pipeline("[preprocess]", "hostile-preprocessor", "trap", "limits.failures = 1.0").expect("it loads");
    (0..100).for_each(|_| tolerant.give(number(13)));
    assert_eq!(tolerant.run().expect("it goes on").len(), 100);
}

#[test]
fn plugins_that_do_not_load() {
    let load = |guest_name: &str, stage: &str, mode: &str| {
        pipeline(stage, guest_name, mode, "").map(drop).expect_err("it does not load")
    };
    let error = load("hostile-rules", "[preprocess]", "trap");
    assert_eq!(error.code, Code::PluginWorld, "{error}");
    let error = load("hostile-preprocessor", "[preprocess]", "describe-trap");
    assert_eq!(error.code, Code::PluginTrap, "{error}");
    assert!(error.message.contains("describe has no answer"), "{error}");
}

#[test]
fn no_message_is_larger_than_the_limit() {
    let mut driver = pipeline("[preprocess]", "hostile-preprocessor", "none", "limits.record = \"16KiB\"")
        .expect("it loads");
    // Decisions and dead letters of records around the limit, a byte more each time.
    for size in 16_000..16_500 {
        let header = |size: usize| vec![("theirs".to_owned(), Some(vec![b'h'; size]))];
        driver.give(Given { headers: header(size), ..number(1) });
        driver.give(Given { headers: header(100), ..Given::value(vec![b'{'; size - 100]) });
    }
    let sent = driver.run().expect("it goes on");
    assert_eq!(sent.len(), 1_000);
    let size = |one: &Sent| {
        let headers: usize =
            one.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
        headers + one.key.as_ref().map_or(0, Vec::len) + one.value.as_ref().map_or(0, Vec::len)
    };
    assert!(sent.iter().all(|one| size(one) <= 16 << 10));
    let outs = sent.iter().filter(|one| one.topic == "out").count();
    let whole = sent.iter().filter(|one| one.topic == "dead" && one.value.is_some()).count();
    assert!((1..500).contains(&outs) && (1..500).contains(&whole), "{outs}, {whole}");
}

#[test]
fn records_that_are_no_records() {
    let mut driver = pipeline("[preprocess]", "hostile-preprocessor", "none", "limits.record = \"16KiB\"")
        .expect("it loads");
    let deep = format!("{{\"n\":1,\"x\":{}1{}}}", "[".repeat(400), "]".repeat(400));
    let long = format!("{{\"n\":1,\"x\":\"{}\"}}", "x".repeat(20_000));
    let bad: [(&[u8], Code); 10] = [
        (b"", Code::Undecodable),
        (b"\xff\xfe\x00", Code::Undecodable),
        (b"{\"n\":1", Code::Undecodable),
        (b"{\"n\":1}}", Code::Undecodable),
        (b"[1]", Code::Undecodable),
        (deep.as_bytes(), Code::Undecodable),
        (b"{\"m\":1}", Code::Missing),
        (b"{\"n\":null}", Code::Missing),
        (b"{\"n\":\"1\"}", Code::WrongType),
        (long.as_bytes(), Code::TooLarge),
    ];
    for (value, _) in bad {
        driver.give(Given::value(value));
        driver.give(number(1));
    }
    driver.give(Given { value: None, ..Given::default() });
    let key = Given::value("{").with_key(vec![b'k'; 20_000]);
    driver.give(Given { headers: vec![("theirs".to_owned(), Some(b"h".to_vec()))], ..key });
    let (out, mut dead): (Vec<_>, Vec<_>) =
        driver.run().expect("it goes on").into_iter().partition(|message| message.topic == "out");
    assert_eq!(out.len(), 10);
    let letter = dead.pop().expect("that of the large key");
    assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (None, None));
    assert_eq!(letter.header("tailwater-omitted"), "value, key, headers");
    assert!(letter.headers.iter().all(|(name, _)| name.starts_with("tailwater-")), "{letter:?}");
    for (letter, (value, code)) in dead.iter().zip(bad) {
        assert_eq!(
            letter.header("tailwater-code"),
            code.to_string(),
            "{}",
            letter.header("tailwater-message")
        );
        if code == Code::TooLarge {
            assert_eq!(
                (letter.value.as_deref(), letter.header("tailwater-omitted-bytes")),
                (None, value.len().to_string())
            );
        } else {
            assert_eq!(letter.value.as_deref(), Some(value));
        }
    }
    assert_eq!(dead.len(), bad.len());
}
