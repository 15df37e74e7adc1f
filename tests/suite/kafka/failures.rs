//! What a broker can do to us, and how it is told.

use std::process::Output;

use tailwater_tests::{broker, program};

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
