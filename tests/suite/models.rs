//! What a model can do wrong while it runs: the rows become dead letters, the others go on.

use std::path::Path;

use tailwater::config::Config;
use tailwater::driver::{Driver, Given, Sent};
use tailwater::error::Code;
use tailwater::release::{Release, Runtimes};
use tailwater_tests::{onnxruntime, repository};

/// Records through a model alone.
fn through(model: &str, columns: &str, values: &[String]) -> (Vec<Sent>, Vec<Sent>) {
    let text = format!(
        r#"
        name = "models"
        routes.output.topic = "out"
        dead_letters.topic = "dead"
        [[source]]
        topic = "in"
        columns = {{ {columns} }}
        [model]
        file = "{}"
        "#,
        repository("tests/fixtures/models").join(model).display()
    );
    let config = Config::parse(&text, Path::new(""), []).expect("valid");
    let runtimes = Runtimes::new(None, Some(onnxruntime())).expect("runtimes");
    let release = Release::load(&config, &runtimes).expect("the model fits");
    let mut driver = Driver::new(&release).expect("instances");
    values.iter().for_each(|value| driver.give(Given::value(value.as_bytes())));
    let sent = driver.run().expect("the pipeline goes on");
    sent.into_iter().partition(|message| message.topic == "out")
}

/// The offset in a message's origin.
fn offset(message: &Sent) -> usize {
    let origin = message.header("tailwater-origin");
    origin.split('/').nth(2).and_then(|offset| offset.parse().ok()).expect("topic/partition/offset/index")
}

#[test]
fn a_score_that_is_no_number_is_a_dead_letter() {
    // The sum of logarithms: infinite at zero, not a number below.
    let b = |n: usize| ["1.5", "0", "-2", "4"][n % 4];
    let values: Vec<_> = (0..100).map(|n| format!("{{\"a\":1.0,\"b\":{}}}", b(n))).collect();
    let (out, dead) = through("log.onnx", "a = \"float\", b = \"float\"", &values);
    assert_eq!((out.len(), dead.len()), (50, 50));
    for message in &out {
        let logarithm = b(offset(message)).parse::<f64>().expect("a number").ln();
        let score = message.json()["score"].as_f64().expect("a score");
        assert!((score - logarithm).abs() < 1e-6, "{score}");
    }
    for letter in &dead {
        assert_eq!(letter.header("tailwater-stage"), "score");
        assert_eq!(letter.header("tailwater-code"), Code::ModelScore.to_string());
        let says = if b(offset(letter)) == "0" { "score is -inf" } else { "score is NaN" };
        assert!(letter.header("tailwater-message").contains(says), "{letter:?}");
        assert_eq!(letter.value.as_deref(), Some(values[offset(letter)].as_bytes()));
        assert_eq!(letter.header("tailwater-plugin").len(), 64, "the model's digest");
    }
}

#[test]
fn a_row_that_a_model_fails_on_is_found() {
    // It knows ten items.
    let item = |n: usize| if [7, 50, 51].contains(&n) { 10_000 } else { n % 10 };
    let values: Vec<_> = (0..100).map(|n| format!("{{\"item_id\":{}}}", item(n))).collect();
    let (out, dead) = through("items.onnx", "item_id = \"int\"", &values);
    assert_eq!(out.len(), 97);
    assert_eq!(dead.iter().map(offset).collect::<Vec<_>>(), [7, 50, 51]);
    for letter in dead {
        assert_eq!(letter.header("tailwater-code"), Code::ModelRun.to_string());
        assert!(letter.header("tailwater-message").contains("Gather"), "{letter:?}");
    }
}
