//! Ends of all kinds: nothing is skipped.

use tailwater_tests::broker;

use super::Job;

#[test]
fn every_record_comes_out_once_with_what_it_is() {
    let job = Job::with_topics("plain");
    let mut program = job.start();
    job.feed(0..2000);
    for (id, copies) in job.read(0..2000) {
        assert_eq!(copies.len(), 1, "id {id}");
        let (got, row) = (&copies[0], copies[0].json());
        assert_eq!(got.key.as_deref(), Some(format!("card-{}", id % 20).as_bytes()));
        assert!(got.headers["tailwater-origin"].starts_with(&format!(
            "{}/{}/",
            job.topic("in"),
            got.partition
        )));
        assert!(got.headers["tailwater-release"].starts_with("1-"));
        // Rows of a card are 20 s apart: a minute holds this one and two before.
        let minute: f64 = (0..3).map(|n| id - n * 20).filter(|id| *id >= 0).map(|id| id as f64 + 100.5).sum();
        assert_eq!(row["sum_1m"].as_f64(), Some(minute), "id {id}");
    }
    assert!(program.terminate().success());
}

#[test]
fn kill_9_in_the_middle_skips_nothing() {
    let job = Job::with_topics("killed");
    let (mut fed, mut between) = (0, 0);
    for _ in 0..4 {
        let program = job.start();
        job.feed(fed..fed + 500);
        job.read(fed..fed + 500);
        // It works on these, and is killed before it can be done.
        job.feed(fed + 500..fed + 60_000);
        program.kill();
        fed += 60_000;
        let committed = broker::committed(&job.group(), &job.topic("in"), 4);
        between += usize::from(committed > 0 && committed < fed);
    }
    assert!(between > 0, "no kill came between two commits");
    let mut program = job.start();
    let seen = job.read(0..fed);
    assert_eq!(seen.len() as i64, fed);
    assert!(program.terminate().success());
}

#[test]
fn a_clean_end_commits_and_repeats_nothing() {
    let job = Job::with_topics("clean");
    for round in 0..2 {
        let mut program = job.start();
        job.feed(round * 1000..(round + 1) * 1000);
        job.read(0..(round + 1) * 1000);
        assert!(program.terminate().success());
    }
    let all = broker::read_all(&job.topic("out"));
    assert_eq!(all.len(), 2000, "each of them once");
}

#[test]
fn a_second_process_takes_over_without_a_gap() {
    let job = Job::with_topics("shared");
    let mut first = job.start();
    job.feed(0..1000);
    job.read(0..1000);
    let mut second = job.start();
    job.feed(1000..3000);
    job.read(0..3000);
    assert!(first.terminate().success());
    job.feed(3000..4000);
    job.read(0..4000);
    assert!(second.terminate().success());
}

#[test]
fn threads_come_and_go_while_it_runs() {
    let job = Job::with_topics("threads");
    let text = std::fs::read_to_string(job.file()).expect("written before");
    let mut program = job.start_with(&[("TAILWATER_LOG", "info,tasks=debug")]);
    job.feed(0..1000);
    job.read(0..1000);
    for (round, threads) in [(1, 1), (2, 2)] {
        let changed = text.replace("threads = 2", &format!("threads = {threads}"));
        std::fs::write(job.file(), changed).expect("writable");
        program.hang_up();
        program.says(&format!("threads={threads}"));
        // The group gives partitions to another number of threads while these come.
        job.feed(round * 1000..round * 1000 + 500);
        program.says("assigned");
        job.feed(round * 1000 + 500..(round + 1) * 1000);
        job.read(0..(round + 1) * 1000);
    }
    std::fs::write(job.file(), text.replace("threads = 2", "threads = many")).expect("writable");
    program.hang_up();
    program.says("nothing is changed");
    job.feed(3000..4000);
    for (id, copies) in job.read(0..4000) {
        let minute: f64 = (0..3).map(|n| id - n * 20).filter(|id| *id >= 0).map(|id| id as f64 + 100.5).sum();
        assert_eq!(copies.len(), 1, "id {id}");
        assert_eq!(copies[0].json()["sum_1m"].as_f64(), Some(minute), "id {id}");
    }
    assert!(program.terminate().success());
}
