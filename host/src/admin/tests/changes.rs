//! What is changed, by whom, and what they hear of it.

use super::*;

const RULES: &str = "/v1/pipelines/p/files/rules";
const ROLLBACK: &str = "/v1/pipelines/p/releases/rollback";
const TOKEN: &str = "0123456789abcdef";

#[test]
fn a_file_is_proposed_and_waited_for() {
    let (server, made) = serve(None);
    let put = |path: &str, headers: &[&str], body: &[u8]| ask(&server, "PUT", path, headers, body);
    let got = put(RULES, &["content-type: application/wasm"], b"plugin");
    assert_eq!(got.status, 202, "{got:?}");
    assert!(got.has("location: /v1/pipelines/p/proposals/0000000000000007"), "{got:?}");
    assert_eq!((&got.json()["state"], &got.json()["release"]), (&"waits".into(), &Value::Null));
    assert_eq!(made.done(), ["rules 6 bytes by somebody@127.0.0.1: "]);
    // In pieces, by somebody, for a reason, signed.
    let signature = format!("tailwater-signature: {}==", "A".repeat(86));
    let headers = ["transfer-encoding: chunked", "tailwater-by: ann", &signature];
    let path = "/v1/pipelines/p/files/features/cards?why=fewer%20alarms";
    let text = format!("PUT {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\n\r\n", headers.join("\r\n"));
    let got = exchange(server.address(), &[text.as_bytes(), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"].concat());
    assert_eq!(got.status, 202, "{got:?}");
    assert_eq!(made.done(), ["features/0 5 bytes signed by ann@127.0.0.1: fewer alarms"]);

    made.ends(Outcome::Released(Box::new(manifest())));
    let got = put(RULES, &[], b"plugin");
    assert_eq!((got.status, &got.json()["state"]), (202, &"released".into()));
    made.ends(Outcome::Runs(Box::new(manifest())));
    let got = put(&format!("{RULES}?wait=60"), &[], b"plugin");
    assert_eq!((got.status, &got.json()["state"]), (200, &"runs".into()));
    assert_eq!(got.json()["release"]["release"], "8-fedcba9876543210");
    let asked = get(&server, "/v1/pipelines/p/proposals/0000000000000007");
    assert_eq!((asked.status, asked.json()), (200, got.json()));
}

#[test]
fn what_is_no_good_is_a_problem() {
    let (server, made) = serve(None);
    let put = |path: &str, headers: &[&str], body: &[u8]| ask(&server, "PUT", path, headers, body).problem();
    assert_eq!(put(RULES, &[], b"bad"), (422, "TW202".to_owned()));
    assert_eq!(put("/v1/pipelines/p/files/preprocess", &[], b"x"), (404, "TW806".to_owned()));
    assert_eq!(put("/v1/pipelines/q/files/rules", &[], b"x"), (404, "TW806".to_owned()));
    assert_eq!(put(RULES, &["tailwater-signature: no"], b"x"), (400, "TW806".to_owned()));
    for query in ["wait=601", "wait=-1", "wait=1&wait=2", "what=1", &format!("why={}", "x".repeat(1001))] {
        assert_eq!(put(&format!("{RULES}?{query}"), &[], b"x"), (400, "TW806".to_owned()), "{query}");
    }
    assert!(made.done().is_empty());
    made.ends(refusal());
    let got = ask(&server, "PUT", &format!("{RULES}?wait=60"), &[], b"x");
    assert_eq!(got.problem(), (422, "TW204".to_owned()));
    let page = got.json();
    assert_eq!((&page["fault"], &page["retry"]), (&"plugin".into(), &false.into()));
    assert!(page["detail"].as_str().is_some_and(|text| text.contains("root@one") && text.contains("clock")));
    let asked = get(&server, "/v1/pipelines/p/proposals/0000000000000007");
    assert_eq!(
        (&asked.json()["state"], &asked.json()["refusal"]["code"]),
        (&"refused".into(), &"TW204".into())
    );
}

#[test]
fn one_goes_back() {
    let (server, made) = serve(None);
    let json = "content-type: application/json; charset=utf-8";
    let back = |headers: &[&str], body: &str| ask(&server, "POST", ROLLBACK, headers, body.as_bytes());
    assert_eq!(back(&[], "").status, 202);
    assert_eq!(back(&[json], "{\"to\": 3, \"why\": \"too slow\"}").status, 202);
    let expected =
        ["back to None by somebody@127.0.0.1: ", "back to Some(3) by somebody@127.0.0.1: too slow"];
    assert_eq!(made.done(), expected);
    assert_eq!(back(&[json], "{\"to\": 99}").problem(), (404, "TW706".to_owned()));
    for wrong in ["{", "[]", "{\"to\": -1}", "{\"to\": \"3\"}", "{\"tow\": 3}", "3"] {
        assert_eq!(back(&[json], wrong).problem(), (400, "TW806".to_owned()), "{wrong}");
    }
    assert_eq!(back(&[], "{}").problem(), (415, "TW807".to_owned()));
    assert_eq!(back(&["content-type: text/plain"], "{}").problem(), (415, "TW807".to_owned()));
    assert!(made.done().is_empty());
}

#[test]
fn without_a_token_nothing_is_changed_or_told() {
    let (server, made) = serve(Some(&format!("ops {TOKEN}")));
    let own = format!("authorization: Bearer {TOKEN}");
    let wrong = "authorization: Bearer 0123456789abcdee";
    for headers in [&[][..], &[wrong]] {
        assert_eq!(ask(&server, "PUT", RULES, headers, b"x").problem(), (401, "TW804".to_owned()));
        assert_eq!(ask(&server, "POST", ROLLBACK, headers, b"").problem(), (401, "TW804".to_owned()));
        let got = ask(&server, "GET", "/v1/pipelines", headers, b"");
        assert_eq!(got.problem(), (401, "TW804".to_owned()));
        assert!(got.has("www-authenticate: Bearer"), "{got:?}");
    }
    assert!(made.done().is_empty());
    assert_eq!(get(&server, "/live").status, 200);
    assert_eq!(get(&server, "/ready").status, 200);
    assert_eq!(ask(&server, "PUT", RULES, &[&own, "tailwater-by: ann@example"], b"x").status, 202);
    assert_eq!(made.done(), ["rules 1 bytes by ops/ann_example@127.0.0.1: "]);
    // A page that came by a token has none of our answers all the same.
    let page = [own.as_str(), "origin: http://localhost"];
    assert_eq!(ask(&server, "PUT", RULES, &page, b"x").problem(), (403, "TW805".to_owned()));
    assert!(made.done().is_empty());
}
