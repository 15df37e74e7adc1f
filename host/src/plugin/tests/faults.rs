//! Everything a plugin can do wrong in a call, and that the next call goes well.

use super::guest::{ECHO, answering};
use super::*;
use crate::engine::ports::Preprocessor;

/// A body that does something bad to a batch of one row, and gives all others back.
fn bad_with_one(bad: &str) -> String {
    format!("(if (i32.eq (local.get $rows) (i32.const 1)) (then {bad})) {ECHO}")
}

fn instance(guest: &Guest, limits: Limits) -> Box<dyn Preprocessor + Send> {
    let stage = Stage { limits, ..stage() };
    let (_, factory) = Bench::new().load(guest).preprocessor(&stage).unwrap();
    factory.instance().unwrap()
}

/// One bad call, a good one, and both again.
#[track_caller]
fn fails_and_recovers(guest: &Guest, limits: Limits, code: Code, parts: &[&str]) {
    let mut instance = instance(guest, limits);
    for _ in 0..2 {
        assert_fault(instance.process(&rows(1)), code, parts);
        assert_eq!(instance.process(&rows(3)).unwrap().origin, [0, 1, 2]);
    }
}

#[test]
fn a_trap_tells_where() {
    let mangled = "_ZN4demo5scale17h0123456789abcdefE";
    let mut guest = Guest::preprocessor(&bad_with_one(&format!("(call ${mangled})")));
    guest.functions += &format!("(func ${mangled} (call $_ZN4core9panicking9panic_fmt17h0123456789abcdefE))");
    guest.functions += "(func $_ZN4core9panicking9panic_fmt17h0123456789abcdefE unreachable)";
    let parts = ["`process` trapped: wasm `unreachable` instruction executed", "; in demo::scale < process"];
    fails_and_recovers(&guest, stage().limits, Code::PluginTrap, &parts);
}

#[test]
fn a_trap_keeps_the_plugins_own_words() {
    let words = "panicked at src/lib.rs:7: no such card";
    let (guest, text) = Guest::echo().with_host(words);
    let say = |level: u32, length: usize| {
        format!("(call $log (i32.const {level}) (i32.const {text}) (i32.const {length}))")
    };
    let bad = format!("{} {} unreachable", say(3, words.len()), say(2, 8));
    let mut guest = guest;
    guest.functions = Guest::preprocessor(&bad_with_one(&bad)).functions;
    fails_and_recovers(
        &guest,
        stage().limits,
        Code::PluginTrap,
        &["; in process", &format!("; it said: {words}")],
    );
}

#[test]
fn a_stack_without_end_is_a_trap() {
    let mut guest = Guest::preprocessor(&bad_with_one("(call $down)"));
    guest.functions += "(func $down (call $down) (call $down))";
    fails_and_recovers(&guest, stage().limits, Code::PluginTrap, &["call stack exhausted", "in down (x"]);
}

#[test]
fn a_stack_in_memory_without_end_is_told_from_a_wild_pointer() {
    // Compilers put the stack first, so that it runs out below address 0.
    let mut guest = Guest::preprocessor(&bad_with_one("(call $down (i32.const 1024))"));
    guest.functions += "(func $down (param i32) (i32.store (local.get 0) (i32.const 0))
        (call $down (i32.sub (local.get 0) (i32.const 16))) (i32.store (local.get 0) (i32.const 0)))";
    let parts =
        ["out of bounds memory access (its stack ran out, it seems: a recursion without end)", "in down (x"];
    fails_and_recovers(&guest, stage().limits, Code::PluginTrap, &parts);
    let guest = Guest::preprocessor(&bad_with_one("(i32.store (i32.const -64) (i32.const 0))"));
    fails_and_recovers(
        &guest,
        stage().limits,
        Code::PluginTrap,
        &["out of bounds memory access; in process"],
    );
}

#[test]
fn spinning_for_ever_ends_in_time() {
    let guest = Guest::preprocessor(&bad_with_one("(loop $on (br $on))"));
    let limits = Limits { time: Duration::from_millis(50), ..stage().limits };
    let begin = std::time::Instant::now();
    fails_and_recovers(
        &guest,
        limits,
        Code::PluginTime,
        &["`process` did not end within 50ms", "in process"],
    );
    assert!(begin.elapsed() >= Duration::from_millis(100), "two calls of 50 ms each");
}

#[test]
fn memory_without_end_is_refused() {
    let greedy = bad_with_one(
        "(loop $on (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br $on))",
    );
    let limits = Limits { memory: 1 << 20, ..stage().limits };
    let parts = ["`process` wanted 1114112 bytes of memory, where 1048576 are allowed", "in process"];
    fails_and_recovers(&Guest::preprocessor(&greedy), limits, Code::PluginMemory, &parts);
    // The runtime's own bound, which is 32 MiB, holds too.
    let limits = Limits { memory: usize::MAX, ..stage().limits };
    fails_and_recovers(&Guest::preprocessor(&greedy), limits, Code::PluginMemory, &["where 33554432 are"]);
}

#[test]
fn memory_that_is_too_small_to_start_in_is_named() {
    let stage = Stage { limits: Limits { memory: 65_536, ..stage().limits }, ..stage() };
    let plugin = Bench::new().load(&Guest::echo());
    let parts = ["its start wanted 131072 bytes of memory, where 65536 are allowed"];
    assert_error(plugin.preprocessor(&stage), Code::PluginMemory, &parts);
}

#[test]
fn a_refused_memory_that_is_taken_well_is_no_fault() {
    let modest = bad_with_one("(drop (memory.grow (i32.const 10000)))");
    let mut instance = instance(&Guest::preprocessor(&modest), stage().limits);
    assert_eq!(instance.process(&rows(1)).unwrap().origin, [0]);
}

#[test]
fn wild_pointers_are_unreadable_output() {
    let wild = |words: &[u32], parts: &[&str]| {
        let bad = format!("{} return", answering(words));
        fails_and_recovers(
            &Guest::preprocessor(&bad_with_one(&bad)),
            stage().limits,
            Code::PluginOutput,
            parts,
        );
    };
    // rows, spans, data, origin, rejected
    wild(
        &[1, u32::MAX - 3, 12, 0, 0, 0, 0, 0, 0],
        &["`process` broke the rules", "list pointer/length out of bounds"],
    );
    wild(&[1, 0, u32::MAX, 0, 0, 0, 0, 0, 0], &["out of bounds"]);
    wild(&[1, 2, 12, 0, 0, 0, 0, 0, 0], &["not aligned"]);
    wild(&[1, 0, 0, 0, 0, 0, 0, 64, 3_000_000], &["out of bounds"]);
    let bad = "(return (i32.const -64))";
    let guest = Guest::preprocessor(&bad_with_one(bad));
    fails_and_recovers(&guest, stage().limits, Code::PluginOutput, &["out of bounds"]);
}

#[test]
fn a_rejection_that_is_no_text_is_unreadable() {
    // At 256 a rejection of row 0 whose message is the byte 0xff at 272.
    let bad = format!(
        "(i32.store (i32.const 264) (i32.const 272)) (i32.store (i32.const 268) (i32.const 1))
         (i32.store (i32.const 272) (i32.const 255)) {} return",
        answering(&[0, 0, 0, 0, 0, 0, 0, 256, 1])
    );
    let guest = Guest::preprocessor(&bad_with_one(&bad));
    fails_and_recovers(&guest, stage().limits, Code::PluginOutput, &["utf-8"]);
}

#[test]
fn more_output_than_is_allowed_is_not_copied() {
    let limits = Limits { output_bytes: 1_000, ..stage().limits };
    let bad = format!("{} return", answering(&[1, 0, 0, 0, 1_001, 0, 0, 0, 0]));
    let guest = Guest::preprocessor(&bad_with_one(&bad));
    fails_and_recovers(&guest, limits, Code::PluginOutput, &["`process` gave more than 1000 bytes"]);
    // Many small lists that lie on one another: 2,000 rejections with one message of 8 KiB.
    let bad = format!(
        "(loop $next
           (i64.store (i32.add (i32.const 65536) (i32.mul (local.get $n) (i32.const 16))) (i64.const 0))
           (i64.store offset=8 (i32.add (i32.const 65536) (i32.mul (local.get $n) (i32.const 16)))
             (i64.const 35184372105216))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $next (i32.lt_u (local.get $n) (i32.const 2000))))
         {} return",
        answering(&[0, 0, 0, 0, 0, 0, 0, 65_536, 2_000])
    );
    let guest = Guest::preprocessor(&bad_with_one(&bad));
    fails_and_recovers(&guest, stage().limits, Code::PluginOutput, &["more than 4194304 bytes"]);
}

#[test]
fn more_rows_than_are_allowed_are_refused() {
    let limits = Limits { rows: 9_999, ..stage().limits };
    let mut instance = instance(&Guest::echo(), limits);
    let parts = ["`process` gave 10000 rows, where 9999 are allowed"];
    assert_fault(instance.process(&rows(10_000)), Code::PluginOutput, &parts);
    assert!(instance.process(&rows(9_999)).is_ok());
}

#[test]
fn a_bad_allocator_is_found() {
    let mut guest = Guest::echo();
    guest.realloc =
        r#"(func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const -8))"#;
    let plugin = Bench::new().load(&guest);
    assert_error(
        plugin.preprocessor(&stage()),
        Code::PluginOutput,
        &["`describe` broke", "beyond end of memory"],
    );
}

#[test]
fn a_fault_in_one_stage_leaves_others_alone() {
    let bench = Bench::new();
    let (_, bad) = bench.load(&Guest::preprocessor("unreachable")).preprocessor(&stage()).unwrap();
    let (_, good) = bench.load(&Guest::echo()).preprocessor(&stage()).unwrap();
    let (mut bad, mut good) = (bad.instance().unwrap(), good.instance().unwrap());
    for _ in 0..100 {
        assert_fault(bad.process(&rows(2)), Code::PluginTrap, &["unreachable"]);
        assert!(good.process(&rows(2)).is_ok());
    }
}
