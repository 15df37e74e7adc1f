//! Calls that go well: what crosses, what is counted and logged, what it costs.

use std::sync::{Arc, Mutex};
use std::thread;

use super::guest::{ECHO, answering, rich_features, rich_rules};
use super::*;
use crate::columns;
use crate::contract::{Fold, MESSAGE_LIMIT, RawBatch, Rejection, Tape};

/// The batch that came back, checked as the engine checks it.
fn checked(raw: RawBatch, like: &Batch) -> Batch {
    let limits = columns::Limits { rows: 100_000, bytes: 1 << 30 };
    Batch::check(Arc::clone(like.schema()), raw.rows, raw.spans, raw.data, limits).unwrap()
}

#[test]
fn a_batch_comes_back_as_it_went() {
    let (_, factory) = Bench::new().load(&Guest::echo()).preprocessor(&stage()).unwrap();
    let mut instance = factory.instance().unwrap();
    for count in [0, 1, 1_000, 2] {
        let batch = rows(count);
        let answer = instance.process(&batch).unwrap();
        assert_eq!(checked(answer.rows, &batch), batch);
        assert_eq!(answer.origin, (0..count as u32).collect::<Vec<_>>());
        assert_eq!(answer.rejected, []);
    }
}

#[test]
fn every_world_answers() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::features("custom-features", &rich_features()));
    let (_, factory) = plugin.features(&stage()).unwrap();
    let mut features = factory.instance().unwrap();
    let answer = features.compute(&rows(3)).unwrap();
    assert_eq!(answer.matrix, [1.0; 3]);
    assert_eq!(checked(answer.ids, &rows(3)), rows(3));

    let mut tape = Tape::default();
    tape.add(1, 7);
    tape.emit(1);
    let answer = features.fold(5, &rows(2), &tape, &[1, 2, 3]).unwrap();
    assert_eq!(answer.registers, [1, 2, 3]);
    assert_eq!(answer.cells.rows, 5);
    assert_eq!(answer.cells.spans, tape.words());
    assert_eq!(answer.cells.data, rows(2).data());
    assert_eq!(features.migrate(5, 1, 3, &[1, 2, 3]).unwrap(), [1, 2, 3]);
    let fault = features.migrate(5, 0, 2, b"no").unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::PluginOutput, "no"));

    let (_, factory) = bench.load(&Guest::rules(&rich_rules())).rules(&stage()).unwrap();
    let answer = factory.instance().unwrap().decide(&rows(3)).unwrap();
    assert_eq!(answer.route, [0, 0, 0]);
    assert_eq!(checked(answer.rows, &rows(3)), rows(3));
}

#[test]
fn a_plugin_without_folds_takes_no_registers_over() {
    let mut plain = rich_features();
    plain.custom_folds.clear();
    plain.aggregates.retain(|aggregate| !matches!(aggregate.fold, Fold::Custom(_)));
    let (_, factory) = Bench::new().load(&Guest::features("features", &plain)).features(&stage()).unwrap();
    let fault = factory.instance().unwrap().migrate(0, 1, 1, &[0]).unwrap_err();
    assert!(fault.message.contains("does not export `migrate`"), "{}", fault.message);
}

#[test]
fn rejections_come_with_so_much_of_their_message() {
    // At 256 a rejection of row 7 with code 300; its message is all of the zeros from 2,048 on.
    let body = format!(
        "(i32.store (i32.const 256) (i32.const 7)) (i32.store (i32.const 260) (i32.const 300))
         (i32.store (i32.const 264) (i32.const 2048)) (i32.store (i32.const 268) (i32.const 3000)) {}",
        answering(&[0, 0, 0, 0, 0, 0, 0, 256, 1])
    );
    let (_, factory) = Bench::new().load(&Guest::preprocessor(&body)).preprocessor(&stage()).unwrap();
    let answer = factory.instance().unwrap().process(&rows(8)).unwrap();
    assert_eq!(answer.rejected, [Rejection { row: 7, code: 300, message: "\0".repeat(MESSAGE_LIMIT) }]);
}

#[test]
fn counters_sum_over_threads_and_skip_failed_calls() {
    let (mut guest, name) = Guest::echo().with_host("seen");
    let count =
        format!("(call $count (i32.const {name}) (i32.const 4) (i64.extend_i32_u (local.get $rows)))");
    let fail = "(if (i32.eq (local.get $rows) (i32.const 13)) (then unreachable))";
    guest.functions = Guest::preprocessor(&format!("{count} {fail} {ECHO}")).functions;
    let (_, factory) = Bench::new().load(&guest).preprocessor(&stage()).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            let mut instance = factory.instance().unwrap();
            scope.spawn(move || {
                for count in [5, 13, 2] {
                    assert_eq!(instance.process(&rows(count)).is_err(), count == 13);
                }
            });
        }
    });
    assert_eq!(factory.counters().read(), [("seen".to_owned(), 21)]);
}

#[test]
fn counters_are_bounded() {
    // Names are the 100 suffixes of 100 letters, the longest first.
    let (mut guest, name) = Guest::echo().with_host(&"n".repeat(100));
    let count = format!(
        "(loop $next
           (call $count (i32.add (i32.const {name}) (local.get $n)) (i32.sub (i32.const 100) (local.get $n)) (i64.const 1))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $next (i32.le_u (local.get $n) (i32.const 100))))
         (local.set $n (i32.const 0))"
    );
    guest.functions = Guest::preprocessor(&format!("{count} {ECHO}")).functions;
    let (_, factory) = Bench::new().load(&guest).preprocessor(&stage()).unwrap();
    factory.instance().unwrap().process(&rows(1)).unwrap();
    let lengths: Vec<_> = factory.counters().read().into_iter().map(|(name, _)| name.len()).collect();
    assert_eq!(lengths, (1..=64).collect::<Vec<_>>());
}

#[test]
fn the_log_is_bounded() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let (mut guest, text) = Guest::echo().with_host(&"é".repeat(3_000));
    let log = format!(
        "(loop $next
           (call $log (i32.const 1) (i32.const {text}) (i32.const 6000))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $next (i32.lt_u (local.get $n) (i32.const 250))))
         (local.set $n (i32.const 0))"
    );
    guest.functions = Guest::preprocessor(&format!("{log} {ECHO}")).functions;
    let (_, factory) = Bench::new().load(&guest).preprocessor(&stage()).unwrap();
    let mut instance = factory.instance().unwrap();

    let lines = Lines::default();
    tracing::subscriber::with_default(crate::log::to_writer(lines.clone()), || {
        instance.process(&rows(1)).unwrap();
        instance.process(&rows(1)).unwrap();
    });
    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines.len(), 2 * 101);
    assert!(lines[0].contains("INFO plugin: ") && lines[0].contains("stage=\"clean\""), "{}", lines[0]);
    assert_eq!(lines[0].matches('é').count(), 2_048);
    assert!(lines[100].contains("WARN") && lines[100].contains("150 more lines"), "{}", lines[100]);
}

#[test]
fn ten_thousand_calls_take_no_more_memory() {
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let (_, factory) = Bench::new().load(&Guest::echo()).preprocessor(&stage()).unwrap();
    let mut instance = factory.instance().unwrap();
    let batch = rows(1_000);
    instance.process(&batch).unwrap();
    let before = resident();
    for _ in 0..10_000 {
        instance.process(&batch).unwrap();
    }
    // Other tests run beside this one; a leak of each call's batch would be 300 MiB.
    assert!(resident() < before + (150 << 20));
}
