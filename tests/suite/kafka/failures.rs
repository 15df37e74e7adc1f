//! What a broker can do to us, and how it is told.

use std::process::Output;

use tailwater_tests::program::Program;
use tailwater_tests::{broker, guest, program};

use super::Job;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_topic_is_named_and_not_created() {
    let job = Job::new("missing");
    broker::create(&[&job.topic("in"), &job.topic("dead")], 4);
    for _ in 0..2 {
        let output = program::output(&["run", job.file().to_str().expect("UTF-8")]);
        assert!(!output.status.success());
        let text = said(&output);
        assert!(text.contains("error TW502, configuration") && text.contains(&job.topic("out")), "{text}");
    }
}

#[test]
fn validate_asks_the_broker_when_told_to() {
    let job = Job::with_topics("validated");
    let file = job.file();
    let file = file.to_str().expect("UTF-8");
    let output = program::output(&["validate", "--connect", file]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("valid, release") && text.contains("by card"), "{text}");
}

#[test]
fn dead_letters_arrive_as_they_came() {
    let job = Job::with_topics("dead");
    let mut running = job.start();
    broker::produce(
        &job.topic("in"),
        [("k".to_owned(), b"{\"id\":".to_vec()), ("k".to_owned(), b"\xff\x00".to_vec())],
    );
    job.feed(0..10);
    job.read(0..10);
    let letters = broker::read_until(&job.topic("dead"), |got| got.len() >= 2);
    assert_eq!(letters[0].value.as_deref(), Some(b"{\"id\":".as_slice()));
    assert_eq!(letters[1].value.as_deref(), Some(b"\xff\x00".as_slice()));
    assert_eq!(letters[0].key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(letters[0].headers["tailwater-code"], "TW401");
    assert_eq!(letters[0].headers["tailwater-stage"], "decode");
    assert!(running.terminate().success());
}

#[test]
fn garbage_of_all_sizes_is_set_aside() {
    let job = Job::with_topics("garbage");
    let mut running = job.start();
    // Of one partition, the good one last: when it is through, all are.
    let noise = |size: usize| (0..size).map(|n| ((n * 7_919) >> 3) as u8).collect::<Vec<u8>>();
    let text = "x".repeat(900_000);
    let bad = [
        noise(1),
        noise(1_000),
        noise(900_000),
        format!("{{\"id\":1,\"t\":1,\"amount\":1,\"card\":\"{text}").into_bytes(),
        "[".repeat(900_000).into_bytes(),
        b"{\"id\":1e400,\"t\":1,\"amount\":1,\"card\":\"k\"}".to_vec(),
        b"{\"id\":1,\"t\":-9223372036854775808,\"amount\":1,\"card\":\"k\"}".to_vec(),
        b"{\"id\":1,\"t\":1,\"amount\":\"1\",\"card\":\"k\"}".to_vec(),
        b"{\"id\":1,\"t\":null,\"amount\":1,\"card\":\"k\"}".to_vec(),
        Vec::new(),
    ];
    // Within what may be decoded, though not within what fits into a message with it.
    let large = format!("{{\"id\":7,\"t\":7,\"amount\":1.5,\"card\":\"{text}\"}}");
    let good = b"{\"id\":8,\"t\":8,\"amount\":1.5,\"card\":\"k\"}".to_vec();
    let records = bad.iter().cloned().chain([large.into_bytes(), good]);
    broker::produce(&job.topic("in"), records.map(|value| ("k".to_owned(), value)));
    job.read(8..9);
    let letters = broker::read_until(&job.topic("dead"), |got| got.len() >= bad.len());
    for (letter, value) in letters.iter().zip(&bad) {
        assert_eq!(letter.value.as_ref(), Some(value), "{:?}", letter.headers);
        assert_eq!(letter.headers["tailwater-stage"], "decode");
    }
    assert_eq!(letters.len(), bad.len());
    assert!(running.terminate().success());
}

#[test]
fn a_plugin_that_fails_too_often_writes_nothing_until_it_is_allowed_to() {
    let job = Job::with_topics("failing");
    job.write(&format!(
        r#"
        [preprocess]
        plugin = "{}"
        settings = {{ mode = "trap" }}
        "#,
        guest("hostile-preprocessor").display(),
    ));
    let record = |n: i64| ("k".to_owned(), format!("{{\"n\":{n},\"t\":1}}").into_bytes());
    let mut program = job.start();
    broker::produce(&job.topic("in"), (100..120).map(record));
    broker::read_until(&job.topic("out"), |got| got.len() >= 20);
    broker::produce(&job.topic("in"), (0..500).map(|_| record(13)));
    program.says("TW210 release 1-");
    assert!(program.terminate().success());
    assert!(broker::read_all(&job.topic("dead")).is_empty());
    let mut program = job.start_with(&[("TAILWATER__LIMITS__FAILURES", "1.0")]);
    broker::produce(&job.topic("in"), [record(7)]);
    broker::read_until(&job.topic("dead"), |got| got.len() >= 500);
    assert!(program.terminate().success());
    assert_eq!(broker::read_all(&job.topic("dead")).len(), 500);
    assert_eq!(broker::read_all(&job.topic("out")).len(), 21);
}

/// At least once nothing can be taken back, and all of it comes again.
#[test]
fn what_a_plugin_spins_for_waits_at_least_once_too_and_other_pipelines_go_on() {
    let (job, beside) = (Job::with_topics("spinning"), Job::with_topics("beside"));
    let write = |mode: &str| {
        job.write(&format!(
            r#"
            [preprocess]
            plugin = "{}"
            time_limit = "20ms"
            settings = {{ mode = "{mode}" }}
            "#,
            guest("hostile-preprocessor").display(),
        ));
    };
    write("spin");
    let record = |n: i64| ("k".to_owned(), format!("{{\"n\":{n},\"t\":1}}").into_bytes());
    let files = [job.file(), beside.file()];
    let mut program = Program::run_all(&[&files[0], &files[1]], &[("TAILWATER__DELIVERY", "at-least-once")]);
    broker::produce(&job.topic("in"), (100..120).map(record));
    broker::read_until(&job.topic("out"), |got| got.len() >= 20);
    broker::produce(&job.topic("in"), (0..500).map(|_| record(13)));
    let said = program.says("TW210 release 1-");
    assert!(said.last().is_some_and(|line| line.contains("rows of the last batch come again")), "{said:?}");
    beside.feed(0..100);
    assert_eq!(beside.read(0..100).len(), 100);
    // Whoever mends it finds all of it.
    write("pass");
    program.says("release 2-");
    let [out, dead] = ["out", "dead"].map(|which| job.topic(which));
    broker::Reader::open(&[&out, &dead]).until(|got| got.len() >= 520);
    assert!(program.terminate().success());
    // Of the first batch there may have been too few to tell.
    let dead = broker::read_all(&dead).len();
    assert!(dead <= 16, "{dead} dead letters");
}
