//! Ensembles of trees: those that are sound answer as they should, all others never reach ONNX Runtime.

mod linked;
mod rooted;
mod write;

use std::time::Duration;

use super::hostile::Scratch;
use super::*;
use crate::model::graph;
use crate::model::watch;
use write::Message;

/// Why a model is refused.
fn refused(model: &[u8]) -> String {
    let error = graph::check(model).expect_err("the model is refused");
    assert_eq!(error.code, Code::ModelGraph, "{}", error.message);
    error.message
}

/// What ONNX Runtime answers to rows of two features.
fn answers(model: &[u8], rows: &[[f32; 2]]) -> Vec<f32> {
    graph::check(model).expect("a sound model");
    let scratch = Scratch::new(&format!("trees-{:?}", std::thread::current().id()));
    let features = names(&["a", "b"]);
    let wanted = Wanted { features: &features, feature_names: Some(&features), ..Wanted::default() };
    let prepared = scratch.open(model, &wanted).expect("ONNX Runtime takes it");
    ask(&mut *prepared.session().unwrap(), rows.len(), rows.as_flattened()).unwrap()
}

#[test]
fn models_of_converters_are_sound() {
    for name in ["trees.onnx", "zipmap.onnx", "mlp.onnx", "several.onnx"] {
        graph::check(&std::fs::read(fixture(name)).unwrap()).unwrap();
    }
}

/// Wherever the operator stands: in a branch, in a function.
#[test]
fn trees_are_found_everywhere() {
    let bad = linked::Forest { yes: vec![9], ..linked::Forest::good() };
    let inner = write::graph("TreeEnsembleRegressor", 2, &bad.attributes());
    let node = inner.clone();
    let branch = Message::default().bytes(1, "then_branch").number(20, 5).message(6, inner.clone());
    let choice = Message::default().bytes(4, "If").message(5, branch);
    let outer = Message::default().message(1, choice);
    assert!(refused(&write::model(outer, 3)).contains("forest"));

    // A function's nodes are its field 7, a graph's its field 1.
    let mut fields = crate::model::wire::Fields::of(&node.0);
    let Some(Ok((1, crate::model::wire::Value::Bytes(node)))) = fields.next() else { panic!("a node first") };
    let function = Message::default().bytes(1, "f").bytes(7, node);
    let model = Message::default().number(1, 10).message(25, function);
    assert!(refused(&model.0).contains("forest"));

    let nested = (0..40).fold(inner, |inner, _| {
        let attribute = Message::default().bytes(1, "body").message(11, inner);
        Message::default().message(1, Message::default().bytes(4, "Loop").message(5, attribute))
    });
    let error = graph::check(&write::model(nested, 3)).unwrap_err();
    assert!(error.message.contains("nested too deeply"), "{}", error.message);
}

#[test]
fn what_is_no_onnx_is_refused() {
    let files: [(&[u8], &str); 3] = [
        (b"\x0b\x0c", "it is no ONNX model"),
        (b"\x0a\x09abc", "cut off"),
        (b"\x0a\x20\0\0ORTM", "ONNX Runtime's own format"),
    ];
    for (bytes, why) in files {
        let error = graph::check(bytes).unwrap_err();
        assert_eq!(error.code, Code::ModelUnreadable);
        assert!(error.message.contains(why), "{}", error.message);
    }
}

/// Changed anywhere: refused, or it answers. Nothing spins.
#[test]
fn mutated_forests_are_refused_or_end() {
    let scratch = Scratch::new("forest");
    let mut seed = 11u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    let (mut refused, mut unsound) = (0, 0);
    let features = numbered(4);
    let wanted = Wanted { features: &features, ..Wanted::default() };
    let whole = std::fs::read(fixture("trees.onnx")).unwrap();
    for _ in 0..600 {
        let mut bytes = whole.clone();
        for _ in 0..=random(2) {
            // Small numbers: indices of other nodes.
            let (at, below) = (random(whole.len()), [24, 256][random(2)]);
            bytes[at] = random(below) as u8;
        }
        unsound += usize::from(graph::check(&bytes).is_err());
        let Ok(prepared) = scratch.open(&bytes, &wanted) else {
            refused += 1;
            continue;
        };
        let matrix: Vec<f32> = (0..400).map(|_| random(2000) as f32 / 500.0 - 2.0).collect();
        let mut session = prepared.session().unwrap();
        let width = prepared.matrix().len().max(1);
        let rows = matrix.len() / width;
        let asked = watch::in_time(Duration::from_secs(20), move || {
            let _ = ask(&mut *session, rows, &matrix[..rows * width]);
        });
        asked.expect("it ends");
    }
    assert!(unsound > 100 && refused >= unsound, "{unsound} are unsound, {refused} are refused");
}
