use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

use super::super::wire::Partial;
use super::*;

/// Does something with one connection.
fn serve(with: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, std::thread::spawn(move || with(listener.accept().unwrap().0)))
}

fn send(url: &str, ca: Option<&Path>) -> Result<(), Failure> {
    let post = Post::new(url.parse().unwrap(), &[], ca).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(post.send("metrics", b"message".to_vec()))
}

/// Reads a request, and answers with these bytes.
fn answer(mut stream: impl Read + Write, bytes: &[u8]) {
    let (mut seen, mut piece) = (Vec::new(), [0; 1024]);
    while !seen.ends_with(b"message") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "it is cut off");
        seen.extend_from_slice(&piece[..count]);
    }
    // Whoever has heard enough hangs up.
    let _ = stream.write_all(bytes);
}

const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// For 127.0.0.1, signed by itself.
fn certificate() -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "collector").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None));
    builder.append_extension(names.unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

#[test]
fn a_collector_with_a_certificate_must_be_known() {
    let (certificate, key) = certificate();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, certificate.to_pem().unwrap()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    acceptor.set_private_key(&key).unwrap();
    let acceptor = acceptor.build();
    for (ca, host, is_known) in
        [(Some(&*ca), "127.0.0.1", true), (None, "127.0.0.1", false), (Some(&*ca), "localhost", false)]
    {
        let acceptor = acceptor.clone();
        let (address, server) = serve(move |stream| {
            if let Ok(stream) = acceptor.accept(stream) {
                answer(stream, TAKEN);
            }
        });
        let sent = send(&format!("https://{host}:{}", address.port()), ca);
        server.join().unwrap();
        match sent {
            Ok(()) => assert!(is_known, "{host}, {ca:?}"),
            Err(failure) => {
                assert!(!is_known && failure.why.contains("certificate verify failed"), "{failure:?}")
            }
        }
    }
}

#[test]
fn what_a_server_says_is_bounded() {
    let long = "x".repeat(1 << 20);
    let answers = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len()),
        format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n"),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned(),
        "no HTTP at all\r\n\r\n".to_owned(),
        String::new(),
    ];
    for bytes in answers {
        let begin: String = bytes.chars().take(50).collect();
        let (address, server) = serve(move |stream| answer(stream, bytes.as_bytes()));
        let failure = send(&format!("http://{address}"), None).expect_err(&begin);
        server.join().unwrap();
        assert!(failure.may_pass && failure.why.len() < 300, "{begin}: {failure:?}");
    }
    let (address, server) = serve(|stream| answer(stream, TAKEN));
    assert_eq!(send(&format!("http://{address}"), None), Ok(()));
    server.join().unwrap();
}

#[test]
fn answers() {
    let judge = |status: u16, body: &[u8]| judge(StatusCode::from_u16(status).expect("a status"), body);
    let partial = |rejected, why: &str| {
        Answer { partial: Some(Partial { rejected, why: why.to_owned() }) }.encode_to_vec()
    };
    assert_eq!(judge(200, b""), Ok(()));
    assert_eq!(judge(200, &partial(0, "all is well")), Ok(()));
    assert_eq!(judge(200, b"\xff\xff"), Ok(()));
    let failure = judge(200, &partial(3, "too many\nlabels")).expect_err("in part");
    assert_eq!(
        failure,
        Failure { why: "3 points or spans are refused: too many".to_owned(), may_pass: false }
    );
    let failure = judge(503, &[b'x'; 5_000]).expect_err("busy");
    assert!(
        failure.may_pass && failure.why.len() < 300 && failure.why.starts_with("it answers 503"),
        "{failure:?}"
    );
    assert!(!judge(404, b"<html>").expect_err("another server").may_pass);
    assert!(!judge(301, b"").expect_err("elsewhere").may_pass);
}

#[test]
fn what_is_no_header_is_not_repeated() {
    let endpoint: Endpoint = "http://127.0.0.1:1".parse().expect("an address");
    let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    let post = Post::new(endpoint.clone(), &header("authorization", "Bearer hush"), None).expect("a header");
    assert!(!format!("{post:?}").contains("hush"));
    let error = Post::new(endpoint, &header("a b", "hush\n"), None).expect_err("no header");
    assert!(error.code == Code::Collector && !error.message.contains("hush"), "{error}");
}
