//! What is told, and that all of it is described.

use std::collections::BTreeSet;

use super::super::routes::routes;
use super::*;

#[test]
fn each_route_is_described_and_the_other_way_round() {
    let page: Value = serde_json::from_str(include_str!("../openapi.json")).expect("JSON");
    let paths = page["paths"].as_object().expect("paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (path.clone(), method.clone()))
        })
        .collect();
    let routed = routes().into_iter().map(|(path, method, _)| (path.to_owned(), method.to_owned()));
    assert_eq!(described, routed.collect());
    // Each reference leads somewhere, and each code is one that there is.
    let text = page.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("it ends");
        assert!(page.pointer(pointer).is_some(), "{pointer}");
    }
    let (server, _) = serve(None);
    assert_eq!(get(&server, "/v1/openapi.json").json(), page);
    // Each method that is described is one that the route takes.
    for (path, method, _) in routes() {
        let path = path.replace("{name}", "none").replace("{stage}", "none").replace("{ticket}", "none");
        let got = ask(&server, &method.to_ascii_uppercase(), &path, &[], b"");
        assert!([200, 404].contains(&got.status), "{method} {path}: {got:?}");
    }
}

#[test]
fn a_process_is_live_and_ready_as_its_threads_are() {
    let tokens = Tokens::default();
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = Server::open(Options { listen, tokens }).expect("a free port");
    let health = || {
        let all = ["/live", "/ready", "/v1/pipelines"].map(|path| get(&server, path).status);
        (all[0], all[1], all[2])
    };
    assert_eq!(health(), (200, 503, 503));
    let made = Arc::<Made>::default();
    server.host().open(vec![Arc::clone(&made) as Arc<dyn Pipeline>]);
    assert_eq!(health(), (200, 503, 200));
    made.stand(&[(Place::Restoring, 1)]);
    assert_eq!(health(), (200, 503, 200));
    let got = get(&server, "/ready");
    assert_eq!(got.problem(), (503, "TW808".to_owned()));
    assert_eq!(got.json()["detail"], "p: of 1 threads 1 restoring");
    made.stand(&[(Place::Running, 299)]);
    assert_eq!(health(), (200, 200, 200));
    made.stand(&[(Place::Running, 301)]);
    assert_eq!(health(), (503, 200, 200));
    // While tables are loaded, a thread only waits.
    made.stand(&[(Place::Starting, 10_000)]);
    assert_eq!(health(), (200, 503, 200));
    made.stand(&[(Place::Running, 0)]);
    server.host().stop();
    assert_eq!(health(), (200, 503, 200));
    assert_eq!(get(&server, "/v1/pipelines/p").json()["state"], "ending");
}

#[test]
fn how_a_pipeline_does() {
    let (server, made) = serve(None);
    made.stand(&[(Place::Running, 0), (Place::Joining, 1)]);
    let page = get(&server, "/v1/pipelines/p").json();
    assert_eq!(get(&server, "/v1/pipelines").json()["pipelines"][0], page);
    assert_eq!(page["release"]["release"], "7-0123456789abcdef");
    assert_eq!((&page["state"], &page["partitions"]), (&"joining".into(), &4.into()));
    assert_eq!(page["threads"][1]["silent_ms"], 1000);
    assert_eq!(page["counts"]["records"], 0);
    assert_eq!(get(&server, "/v1/pipelines/p/releases").json()["pipeline"], "p");
    assert_eq!(get(&server, "/v1/pipelines/p/releases/history").json()["events"][0]["at"], 20);
    assert_eq!(get(&server, "/v1/pipelines/p/releases/history?last=3").json()["events"][0]["at"], 3);
    for wrong in ["last=0", "last=1001", "last=-1", "last=x", "lost=1"] {
        let got = get(&server, &format!("/v1/pipelines/p/releases/history?{wrong}"));
        assert_eq!(got.problem(), (400, "TW806".to_owned()), "{wrong}");
    }
    for path in
        ["/", "/v1", "/v2/pipelines", "/v1/pipelines/q", "/v1/pipelines/p/proposals/0", "/v1/pipelines/"]
    {
        assert_eq!(get(&server, path).problem(), (404, "TW806".to_owned()), "{path}");
    }
    assert_eq!(get(&server, "/v1/pipelines/%ff").problem(), (400, "TW806".to_owned()));
    let got = ask(&server, "DELETE", "/v1/pipelines/p", &[], b"");
    assert_eq!(got.problem(), (405, "TW806".to_owned()));
    assert!(got.has("allow: GET,HEAD"), "{got:?}");
}
