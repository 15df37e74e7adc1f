//! Finding and loading ONNX Runtime.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use super::*;
use crate::model::runtime::{Candidate, candidates};

fn found(
    given: Option<&str>,
    variables: &[(&str, &str)],
    beside: Option<&str>,
) -> Vec<(String, &'static str)> {
    let variable =
        |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
    let all = candidates(given.map(Path::new), variable, beside.map(PathBuf::from));
    all.into_iter().map(|Candidate { path, by }| (path.display().to_string(), by)).collect()
}

#[test]
fn the_library_is_looked_for_in_order() {
    let both = [("ORT_DYLIB_PATH", "/b.so"), ("TAILWATER_ONNXRUNTIME", "/a.so")];
    assert_eq!(found(Some("/x.so"), &both, Some("/y.so")), [("/x.so".into(), "the pipeline's setting")]);
    assert_eq!(found(None, &both, Some("/y.so")), [("/a.so".into(), "TAILWATER_ONNXRUNTIME")]);
    assert_eq!(found(None, &both[..1], None), [("/b.so".into(), "ORT_DYLIB_PATH")]);
    let empty = [("TAILWATER_ONNXRUNTIME", "")];
    let system = ("libonnxruntime.so".to_owned(), "the system's loader");
    assert_eq!(
        found(None, &empty, Some("/y.so")),
        [("/y.so".into(), "beside the executable"), system.clone()]
    );
    assert_eq!(found(None, &[], None), [system]);
}

#[test]
fn a_named_library_is_one_of_this_directory() {
    let here = std::env::current_dir().unwrap().join("lib/x.so").display().to_string();
    assert_eq!(found(Some("lib/x.so"), &[], None), [(here, "the pipeline's setting")]);
}

#[test]
fn a_process_has_one_library() {
    let first = runtime();
    assert_eq!(Runtime::load(Some(first.library())).unwrap().library(), first.library());
    let error = Runtime::load(Some(Path::new("/other/libonnxruntime.so"))).unwrap_err();
    assert_eq!(error.code, Code::ModelRuntime);
    assert!(error.message.contains("is loaded already"), "{}", error.message);
}

/// In a process of its own, since a process loads one library for life.
fn in_a_fresh_process(library: &str) -> Output {
    let test = std::env::current_exe().unwrap();
    let mut command = Command::new(test);
    command.args(["--exact", "model::tests::library::report_of_a_fresh_process", "--nocapture"]);
    command.env("TAILWATER_ONNXRUNTIME", library).output().unwrap()
}

/// What the other tests read, each in a process of its own.
#[test]
fn report_of_a_fresh_process() {
    match Runtime::load(None) {
        Ok(runtime) => println!("loaded {}", runtime.library().display()),
        Err(error) => println!("{:?}: {}", error.code, error.message),
    }
}

#[test]
fn what_can_not_be_loaded_is_said_without_a_panic() {
    let no_library = fixture("make.py").display().to_string();
    for library in ["/nowhere/libonnxruntime.so", &no_library] {
        let output = in_a_fresh_process(library);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains(&format!("ModelRuntime: tried {library} (TAILWATER_ONNXRUNTIME): {library}: ")),
            "{text}"
        );
        assert!(text.contains("ONNX Runtime 1.24 or newer is needed"), "{text}");
    }
    let output = in_a_fresh_process(&runtime().library().display().to_string());
    assert!(String::from_utf8(output.stdout).unwrap().contains("loaded "));
}
