//! Files that are no models, questions that are none, models that fail.

use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::model::watch;

pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tailwater-model-{}-{name}", std::process::id()));
        Self(path)
    }

    pub fn open(&self, bytes: &[u8], wanted: &Wanted<'_>) -> Result<Prepared> {
        std::fs::write(&self.0, bytes).unwrap();
        runtime().open(&self.0, wanted)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn files_that_can_not_be_read() {
    for (path, why) in
        [("/nowhere/model.onnx", "No such file"), ("/tmp", "not a file"), ("/dev/zero", "not a file")]
    {
        let error = runtime().open(Path::new(path), &Wanted::default()).unwrap_err();
        assert_eq!(error.code, Code::ModelUnreadable);
        assert!(error.message.starts_with(&format!("{path}: {why}")), "{}", error.message);
    }
    let scratch = Scratch::new("no-model");
    let error = scratch.open(b"", &Wanted::default()).unwrap_err();
    assert!(error.message.ends_with("the file is empty"), "{}", error.message);
    let error = scratch.open(b"{\"not\": \"a model\"}", &Wanted::default()).unwrap_err();
    assert_eq!(error.code, Code::ModelUnreadable);
    assert!(error.message.ends_with("it is no ONNX model, or is cut off"), "{}", error.message);
    let error = scratch.open(b"\x08\x0a", &Wanted::default()).unwrap_err();
    assert_eq!(error.code, Code::ModelUnreadable);
    assert!(error.message.contains("ONNX Runtime can't load it: "), "{}", error.message);
}

/// The digest would not cover it, and a model could have any file read.
#[test]
fn weights_in_another_file_are_not_read() {
    let scratch = Scratch::new("external");
    let columns = [Column::new("item_id", Kind::Int)];
    let wanted = Wanted { columns: &columns, ..Wanted::default() };
    let whole = std::fs::read(fixture("external.onnx")).unwrap();
    let at = whole.windows(10).position(|part| part == b"Cargo.toml").unwrap();
    assert!(Path::new("Cargo.toml").exists());
    for place in [b"Cargo.toml", b"..////null", b"../../Carg", b"/etc/group"] {
        let bytes = [&whole[..at], place, &whole[at + 10..]].concat();
        let error = scratch.open(&bytes, &wanted).unwrap_err();
        assert_eq!(error.code, Code::ModelUnreadable, "{}", error.message);
    }
    let (_, message) = refusal("external", &wanted);
    assert!(message.contains("Its weights are in another file: save it as one"), "{message}");
}

#[test]
fn a_batch_size_that_is_fixed_inside_is_found() {
    let features = names(&["a", "b"]);
    let (code, message) = refusal("inner", &Wanted { features: &features, ..Wanted::default() });
    assert_eq!(code, Code::ModelRun);
    assert!(message.starts_with("it fails on 3 rows, though not on one: "), "{message}");
    assert!(message.ends_with("Is its batch size fixed inside?"), "{message}");
}

/// A truncated file may still be a model if what is lost is not needed; it must never be worse.
#[test]
fn truncated_models_are_refused_or_work() {
    let scratch = Scratch::new("truncated");
    let features = names(&["a", "b", "c"]);
    let wanted = Wanted { features: &features, ..Wanted::default() };
    let whole = std::fs::read(fixture("linear.onnx")).unwrap();
    let refused = (1..whole.len()).filter(|length| scratch.open(&whole[..*length], &wanted).is_err()).count();
    assert!(refused > whole.len() - 20, "{refused} of {} truncations are refused", whole.len());

    let whole = std::fs::read(fixture("trees.onnx")).unwrap();
    let features = numbered(4);
    let wanted = Wanted { features: &features, ..Wanted::default() };
    for length in (1..whole.len()).step_by(97) {
        let error = scratch.open(&whole[..length], &wanted).unwrap_err();
        assert_eq!(error.code, Code::ModelUnreadable, "{length}: {}", error.message);
    }
}

#[test]
fn mutated_models_are_refused_or_work() {
    let scratch = Scratch::new("mutated");
    let features = names(&["a", "b", "c"]);
    let columns = answers::several();
    let wanted = Wanted { features: &features, columns: &columns, ..Wanted::default() };
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    let mut refused = 0;
    for model in ["linear", "several", "item_context", "two", "sequence", "zipmap"] {
        let whole = std::fs::read(fixture(&format!("{model}.onnx"))).unwrap();
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=random(3) {
                bytes[random(whole.len())] = random(256) as u8;
            }
            refused += usize::from(scratch.open(&bytes, &wanted).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_failing_question_is_an_error_and_the_next_one_is_answered() {
    let columns = [Column::new("item_id", Kind::Int)];
    let prepared = open("items", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    let mut ask = |ids: &[i64]| {
        let mut builder = Builder::new(prepared.schema().clone());
        ids.iter().for_each(|id| builder.column(0).push_int(*id));
        builder.finish_rows(ids.len());
        let mut scores = Vec::new();
        let answer =
            session.score(Question { rows: ids.len(), matrix: &[], columns: &builder.seal() }, &mut scores);
        answer.map(|()| scores.len())
    };
    let error = ask(&[1, 10]).unwrap_err();
    assert!(error.contains("indices element out of data bounds, idx=10"), "{error}");
    assert_eq!(ask(&[1, 9]), Ok(2));
}

#[test]
fn vectors_of_another_length_are_an_error() {
    let columns = answers::several();
    let prepared = open("several", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let good = Expected::of("several").columns(prepared.schema()).gather(&[0, 1]);
    let mut builder = Builder::new(prepared.schema().clone());
    for (index, view) in good.columns().enumerate().take(5) {
        builder.column(index).extend_rows(view, &[0, 1]);
    }
    builder.column(5).push_floats([0.0; 3]);
    builder.column(5).push_floats([0.0; 2]);
    builder.finish_rows(2);
    let question = Question { rows: 2, matrix: &[], columns: &builder.seal() };
    let error = prepared.session().unwrap().score(question, &mut Vec::new()).unwrap_err();
    assert_eq!(error, "row 1 has 2 floats for the input `embedding`, which takes 3");
}

#[test]
fn a_text_with_a_zero_byte_is_an_error() {
    let columns = answers::several();
    let prepared = open("several", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let good = Expected::of("several").columns(prepared.schema()).gather(&[0]);
    let mut builder = Builder::new(prepared.schema().clone());
    for (index, view) in good.columns().enumerate() {
        if index == 4 {
            builder.column(index).push_bytes(b"C\0H")
        } else {
            builder.column(index).push_from(view, 0)
        }
    }
    builder.finish_row();
    let question = Question { rows: 1, matrix: &[], columns: &builder.seal() };
    let error = prepared.session().unwrap().score(question, &mut Vec::new()).unwrap_err();
    assert!(error.starts_with("the input `country`: "), "{error}");
}

#[test]
fn a_question_of_another_shape_is_an_error() {
    let features = names(&["a", "b", "c"]);
    let prepared = open("linear", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    assert_eq!(
        ask(&mut *session, 2, &[0.0; 5]),
        Err("a matrix of 5 numbers for 2 rows of 3 features".into())
    );

    let columns = [Column::new("item_id", Kind::Int)];
    let prepared = open("items", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    let expected = Err("columns that are not those which were agreed on".to_owned());
    assert_eq!(ask(&mut *session, 1, &[]), expected);
    let mut builder = Builder::new([Column::new("item_id", Kind::Float)].into());
    builder.column(0).push_float(1.0);
    builder.finish_row();
    let question = Question { rows: 1, matrix: &[], columns: &builder.seal() };
    assert_eq!(session.score(question, &mut Vec::new()).map(|()| vec![]), expected);
}

#[test]
fn what_does_not_end_is_given_up() {
    let begun = Instant::now();
    let (_keep, forever) = std::sync::mpsc::channel::<()>();
    let late = watch::in_time(Duration::from_millis(50), move || forever.recv().is_ok()).unwrap_err();
    assert!(late.starts_with("it did not end within"), "{late}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let panicked = watch::in_time::<()>(Duration::from_secs(60), || panic!("on purpose")).unwrap_err();
    assert!(panicked.starts_with("the wrapper of ONNX Runtime panicked"), "{panicked}");
    assert_eq!(watch::in_time(Duration::from_secs(60), || 1), Ok(1));
}
