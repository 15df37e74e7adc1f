//! Nothing that comes is believed, or too much.

use super::*;

const RULES: &str = "/v1/pipelines/p/files/rules";

fn send(server: &Server, text: &str) -> Got {
    exchange(server.address(), text.as_bytes())
}

fn send_cut(server: &Server, text: &str) -> Got {
    exchange_cut(server.address(), text.as_bytes())
}

#[test]
fn what_is_too_large_is_not_read() {
    let (server, made) = serve(None);
    let head = format!("PUT {RULES} HTTP/1.1\r\nhost: localhost\r\n");
    let got = send(&server, &format!("{head}content-length: 67108865\r\n\r\n"));
    assert_eq!(got.problem(), (413, "TW807".to_owned()));
    let got = send_cut(&server, &format!("{head}content-length: 67108864\r\n\r\nabc"));
    assert!([0, 400].contains(&got.status), "half a file: {got:?}");
    // Not announced, it ends where it becomes too much.
    let head = "POST /v1/pipelines/p/releases/rollback HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n";
    let piece = format!("{:x}\r\n{}\r\n", 60_000, " ".repeat(60_000));
    let got = send(&server, &format!("{head}content-type: application/json\r\n\r\n{piece}{piece}0\r\n\r\n"));
    assert!([0, 413].contains(&got.status), "{got:?}");
    let got = get(&server, &format!("/v1/pipelines/{}", "x".repeat(70_000)));
    assert!([0, 414, 431].contains(&got.status), "{got:?}");
    let got = ask(&server, "GET", "/live", &[&format!("x: {}", "x".repeat(70_000))], b"");
    assert!([0, 431].contains(&got.status), "{got:?}");
    assert!(made.done().is_empty());
    assert_eq!(get(&server, "/live").status, 200, "it serves on");
}

#[test]
fn what_is_no_http_or_comes_from_a_page_is_refused() {
    let (server, made) = serve(None);
    for text in
        ["", "\r\n\r\n", "hello\r\n\r\n", "GET /live\r\n\r\n", "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\n"]
    {
        assert!([0, 400].contains(&send_cut(&server, text).status), "{text:?}");
    }
    let pages = [
        "GET /ready HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET /ready HTTP/1.0\r\n\r\n",
        "GET http://evil.example/ready HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/pipelines HTTP/1.1\r\nhost: localhost\r\norigin: null\r\n\r\n",
        "OPTIONS /v1/pipelines HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n",
    ];
    for text in pages {
        let got = send(&server, text);
        assert_eq!(got.problem(), (403, "TW805".to_owned()), "{text:?}");
        assert!(!got.head.to_ascii_lowercase().contains("access-control"), "{got:?}");
    }
    // One request a connection: a second is nobody's.
    let one = format!("PUT {RULES} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\nx");
    assert_eq!(send(&server, &format!("{one}{one}")).status, 202);
    assert_eq!(made.done().len(), 1);
}

#[test]
fn more_connections_than_places_wait_for_each_other() {
    let (server, _) = serve(None);
    let idle: Vec<TcpStream> =
        (0..63).map(|_| TcpStream::connect(server.address()).expect("it listens")).collect();
    assert_eq!(get(&server, "/live").status, 200);
    let last = TcpStream::connect(server.address()).expect("it listens");
    // None is free until one of those goes.
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| get(&server, "/live").status);
        drop(idle);
        assert_eq!(asked.join().expect("no panic"), 200);
    });
    drop(last);
}
