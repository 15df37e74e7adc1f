//! What is taken for a plugin, and what is not.

use super::*;
use crate::plugin::tests::guest::{ECHO, WIT, rich_features, rich_rules};

#[test]
fn a_missing_file_is_named() {
    let bench = Bench::new();
    assert_error(
        bench.runtime.load("/no/such.wasm"),
        Code::PluginUnreadable,
        &["/no/such.wasm", "No such file"],
    );
    assert_error(bench.runtime.load(bench.folder.path()), Code::PluginUnreadable, &["is no file"]);
}

#[test]
fn what_is_no_plugin_says_how_to_build_one() {
    let bench = Bench::new();
    let load = |bytes: &[u8]| bench.runtime.load(bench.write(bytes));
    for garbage in [&b""[..], b"\0asm", b"#!/bin/sh\n", b"\0asm\x02\0\0\0"] {
        assert_error(load(garbage), Code::PluginInvalid, &["plugin.wasm: is no WebAssembly", "cargo build"]);
    }
    let module = wat::parse_str("(module (memory 1))").unwrap();
    let parts = ["a core module without a component type", "--target wasm32-unknown-unknown"];
    assert_error(load(&module), Code::PluginInvalid, &parts);
}

#[test]
fn a_file_cut_or_spoilt_anywhere_is_refused_or_runs() {
    let bench = Bench::new();
    for whole in [Guest::echo().module(), Guest::echo().component()] {
        let cuts = (1..whole.len() - 1).step_by(29);
        let refused = cuts.clone().filter(|cut| bench.runtime.load(bench.write(&whole[..*cut])).is_err());
        // A component cut between two sections is whole, but exports nothing.
        assert!(refused.count() > cuts.len() * 9 / 10);
        for at in (0..whole.len()).step_by(17) {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 1 << (at % 8);
            if let Ok(plugin) = bench.runtime.load(bench.write(&spoilt)) {
                let stage =
                    Stage { limits: Limits { time: Duration::from_millis(50), ..stage().limits }, ..stage() };
                let _ = plugin.preprocessor(&stage);
            }
        }
    }
}

#[test]
fn a_component_is_taken_as_a_core_module_is() {
    let bench = Bench::new();
    let module = bench.load(&Guest::echo());
    let component = bench.runtime.load(bench.write(&Guest::echo().component())).unwrap();
    assert_eq!(module.digest().len(), 64);
    assert_ne!(module.digest(), component.digest());
    let (of_module, _) = module.preprocessor(&stage()).unwrap();
    let (of_component, factory) = component.preprocessor(&stage()).unwrap();
    assert_eq!(of_module, of_component);
    assert_eq!(factory.instance().unwrap().process(&rows(3)).unwrap().origin, [0, 1, 2]);
}

#[test]
fn a_plugin_of_another_world_is_told_which() {
    let bench = Bench::new();
    let rules = bench.load(&Guest::rules(&rich_rules()));
    let parts =
        ["stage clean, plugin /", "does not export `process`", "seems to be made for the world rules"];
    assert_error(rules.preprocessor(&stage()), Code::PluginWorld, &parts);
    let features = bench.load(&Guest::features("custom-features", &rich_features()));
    assert_error(features.rules(&stage()), Code::PluginWorld, &["`decide`", "the world custom-features"]);
    let empty = bench.runtime.load(bench.write(&wat::parse_str("(component)").unwrap())).unwrap();
    assert_error(
        empty.features(&stage()),
        Code::PluginWorld,
        &["`describe` and `compute`", "exports nothing"],
    );
}

#[test]
fn another_version_of_the_contract_is_named() {
    let bench = Bench::new();
    for version in ["0.2.0", "0.1.1"] {
        let mut guest = Guest::echo();
        guest.wit = WIT.replace("@0.1.0", &format!("@{version}"));
        let parts = [version, "serves 0.1.0", "SDK of that version"];
        assert_error(bench.load(&guest).preprocessor(&stage()), Code::PluginWorld, &parts);
    }
}

#[test]
fn a_function_of_another_type_is_found() {
    let bench = Bench::new();
    let mut guest = Guest::echo();
    guest.wit = WIT.replace("origin: list<u32>,", "origins: list<u32>,");
    let parts = ["does not fit the world preprocessor", "expected record field named origin, found origins"];
    assert_error(bench.load(&guest).preprocessor(&stage()), Code::PluginWorld, &parts);
}

#[test]
fn only_what_is_granted_can_be_imported() {
    let bench = Bench::new();
    let (guest, _) = Guest::echo().with_host("");
    let plugin = bench.load(&guest);
    assert!(plugin.preprocessor(&stage()).is_ok());
    let granted = |log, counters| plugin.preprocessor(&Stage { grants: Grants { log, counters }, ..stage() });
    assert_error(granted(false, true), Code::PluginImport, &["imports `log`", "grants = [\"log\"]"]);
    assert_error(granted(true, false), Code::PluginImport, &["imports `count`", "grants = [\"counters\"]"]);
}

#[test]
fn a_clock_can_not_be_imported() {
    let bench = Bench::new();
    let mut guest = Guest::echo();
    guest.wit = format!(
        "{WIT}\ninterface clock {{ now: func() -> u64; }}\nworld late {{ include preprocessor; import clock; }}"
    );
    guest.world = "late";
    guest.imports = r#"(import "tailwater:plugin/clock@0.1.0" "now" (func (result i64)))"#.into();
    let parts = ["imports `now` of `tailwater:plugin/clock@0.1.0`", "nothing grants that", "without WASI"];
    assert_error(bench.load(&guest).preprocessor(&stage()), Code::PluginImport, &parts);
}

#[test]
fn compiled_code_is_kept_and_a_cache_that_fails_does_no_harm() {
    let bench = Bench::new();
    let path = bench.write(&Guest::preprocessor(ECHO).module());
    let kept = bench.folder.path().join("cache");
    for cache in [kept.clone(), kept.clone(), PathBuf::from("/proc/no/such/place")] {
        let options = RuntimeOptions { cache: Some(cache), max_instances: 1, memory_limit: 1 << 20 };
        let plugin = Runtime::new(&options).unwrap().load(&path).unwrap();
        assert!(plugin.preprocessor(&stage()).is_ok());
    }
    assert!(std::fs::read_dir(kept).unwrap().next().is_some());
}

#[test]
fn an_instance_too_many_says_so() {
    let bench = Bench::new();
    let (_, factory) = bench.load(&Guest::echo()).preprocessor(&stage()).unwrap();
    let all: Vec<_> = (0..4).map(|_| factory.instance().unwrap()).collect();
    assert_error(factory.instance(), Code::Internal, &["stage clean", "no instance is free", "limit of 4"]);
    drop(all);
    assert!(factory.instance().is_ok());
}
