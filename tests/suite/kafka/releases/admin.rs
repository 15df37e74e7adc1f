//! The admin API of a host that runs.

use std::time::{Duration, Instant};

use tailwater_tests::http::Api;
use tailwater_tests::program::PATIENCE;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ADMIN: (&str, &str) = ("TAILWATER_ADMIN", "127.0.0.1:0");

fn await_ready(api: &Api) {
    let began = Instant::now();
    while api.get("/ready").0 != 200 {
        assert!(began.elapsed() < PATIENCE, "{:?}", api.get("/ready"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_runs_is_changed_over_http_under_load() {
    let job = Job::with_topics("admin");
    let machine = Machine::new(&job);
    let token = format!("ops {TOKEN}");
    let mut program = Program::run(&machine.file(), &[ADMIN, ("TAILWATER_ADMIN_TOKEN", &token)]);
    let stranger = Api::of(&program);
    assert_eq!(stranger.get("/live").0, 200);
    await_ready(&stranger);
    let own = stranger.with(TOKEN);
    let base = format!("/v1/pipelines/{}", job.name);
    let (status, page) = own.get(&base);
    assert_eq!((status, &page["state"], &page["partitions"]), (200, &"running".into(), &4.into()), "{page}");
    assert_eq!(page["release"]["number"], 1);

    let mut fed = 0;
    feed_until(&job, &mut fed, 1);
    let file = format!("{base}/files/features/folds");
    let (put, back) = (format!("{file}?wait=60&why=a%20mark"), format!("{base}/releases/rollback?wait=60"));
    for api in [&stranger, &stranger.with("0123456789abcdef0123456789abcdee")] {
        for (method, path) in [("PUT", &put), ("POST", &back), ("GET", &base)] {
            let (status, page) = api.ask(method, path, b"");
            assert_eq!((status, &page["code"]), (401, &"TW804".into()), "{method} {path}");
        }
    }
    // What is no good is not even proposed.
    for (bytes, code) in [
        (b"no plugin".to_vec(), "TW202"),
        (fs::read(guest("hostile-rules")).expect("readable"), "TW203"),
        (Vec::new(), "TW202"),
        (fs::read(guest("folds")).expect("readable"), "TW708"),
    ] {
        let (status, page) = own.ask("PUT", &put, &bytes);
        assert_eq!(page["code"], code, "{page}");
        assert_eq!(status, if code == "TW708" { 409 } else { 422 }, "{page}");
    }
    let (_, releases) = own.get(&format!("{base}/releases"));
    assert_eq!((&releases["current"]["number"], &releases["kept"]), (&1.into(), &serde_json::json!([1])));

    let ask = |method: &'static str, path: &str, body: Vec<u8>| {
        let (own, path) = (own.clone(), path.to_owned());
        std::thread::spawn(move || {
            let began = Instant::now();
            let (status, page) = own.ask(method, &path, &body);
            assert_eq!((status, &page["state"]), (200, &"runs".into()), "{page}");
            eprintln!("{method}: {} runs after {:?}", page["release"]["release"], began.elapsed());
        })
    };
    let asked = ask("PUT", &put, marked("2"));
    feed_until(&job, &mut fed, 2);
    asked.join().expect("it runs");
    let asked = ask("POST", &back, Vec::new());
    let all = feed_until(&job, &mut fed, 3);
    asked.join().expect("it runs");
    for (id, copies) in &all {
        check(*id, copies);
    }
    assert_eq!(numbers(all.values().flatten()), BTreeSet::from([1, 2, 3]));

    let (_, history) = own.get(&format!("{base}/releases/history?last=100"));
    let by = |number: u64| {
        let events = history["events"].as_array().expect("events").iter();
        let mut events = events.filter(|event| event["what"] == "released" && event["number"] == number);
        let event = events.next().expect("it was released").clone();
        [event["by"].clone(), event["how"].clone(), event["why"].clone()]
    };
    assert_eq!(by(2), ["ops/tests@127.0.0.1", "apply", "a mark"]);
    assert_eq!(by(3)[..2], ["ops/tests@127.0.0.1", "rollback"]);
    // The counts are those of what was committed.
    let (_, page) = own.get(&base);
    assert_eq!((&page["release"]["number"], &page["counts"]["records"]), (&3.into(), &fed.into()), "{page}");
    assert!(program.terminate().success());
}

#[test]
fn it_listens_to_nobody_by_mistake_and_tells_when_it_is_ready() {
    let job = Job::new("silent");
    for (variables, code) in [
        (&[("TAILWATER_ADMIN", "0.0.0.0:0")][..], "TW801"),
        (&[("TAILWATER_ADMIN", "192.0.2.1:8811"), ("TAILWATER_ADMIN_TOKEN", TOKEN)], "TW802"),
        (&[ADMIN, ("TAILWATER_ADMIN_TOKEN", "short")], "TW803"),
    ] {
        let mut program = Program::run(&job.file(), variables);
        let said = program.says(&format!("explain {code}"));
        assert!(!program.end().success());
        assert!(said.iter().all(|line| !line.contains(TOKEN) && !line.contains("short")), "{said:?}");
    }
    // The partitions of one group are shared by two.
    let job = Job::with_topics("shared");
    let mut programs = [job.start_with(&[ADMIN]), job.start_with(&[ADMIN])];
    let apis = programs.each_ref().map(Api::of);
    let (began, path) = (Instant::now(), format!("/v1/pipelines/{}", job.name));
    let partitions = |api: &Api| api.get(&path).1["partitions"].as_u64().unwrap_or_default();
    while apis.each_ref().map(partitions) != [2, 2] || apis.iter().any(|api| api.get("/ready").0 != 200) {
        assert!(began.elapsed() < PATIENCE, "{apis:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    programs.iter_mut().for_each(|program| assert!(program.terminate().success()));
}
