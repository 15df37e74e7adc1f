//! A pipeline with a key: plugins that nobody signed don't run.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use tailwater_tests::artifacts::{marked, replace};
use tailwater_tests::guest;
use tailwater_tests::program;

use crate::kafka::Job;

/// What stands before a key's 32 bytes where `openssl pkey -pubout` writes it.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[test]
fn what_nobody_signed_never_runs() {
    let job = Job::with_topics("signed");
    let place = |name: &str| job.folder.path().join(name);
    let [own, other] = [7, 8].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let public = STANDARD.encode([&PREFIX[..], own.verifying_key().as_bytes()].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{public}\n-----END PUBLIC KEY-----\n");
    fs::write(place("public.pem"), pem).expect("writable");
    job.write(
        r#"
        columns = { id = "int", t = "time", amount = "float", card = "text" }
        partitioned_by = ["card"]
        event_time = "t"
        [[features]]
        plugin = "folds.wasm"
        key = "card"
        [releases]
        keys = ["public.pem"]
        "#,
    );
    let plugin = fs::read(guest("folds")).expect("readable");
    let put = |bytes: &[u8], signature: Option<&[u8]>| {
        match signature {
            Some(signature) => replace(&place("folds.wasm.sig"), signature),
            None => drop(fs::remove_file(place("folds.wasm.sig"))),
        }
        replace(&place("folds.wasm"), bytes);
    };
    let sign = |key: &SigningKey, bytes: &[u8]| key.sign(bytes).to_bytes();

    // Nor at the start.
    put(&plugin, None);
    let output = program::output(&["run", job.file().to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("TW702"), "{said}");

    put(&plugin, Some(&sign(&own, &plugin)));
    let mut running = job.start();
    running.says("release 1-");
    job.feed(0..100);
    job.read(0..100);
    let next = marked(&plugin, "next");
    let refused: [(Option<Vec<u8>>, &str); 4] = [
        (None, "folds.wasm.sig must lie beside it"),
        (Some(sign(&own, &plugin).to_vec()), "sign the file again"),
        (Some(sign(&other, &next).to_vec()), "sign the file again"),
        (Some(b"signed: me".to_vec()), "is no signature of ed25519"),
    ];
    for (turn, (signature, words)) in refused.into_iter().enumerate() {
        // Other bytes each time: what came to nothing once is not tried again.
        let bytes = if turn == 2 { next.clone() } else { marked(&plugin, &turn.to_string()) };
        put(&bytes, signature.as_deref());
        let said = running.says("what runs goes on: TW702");
        assert!(said.last().is_some_and(|line| line.contains(words)), "{words:?}: {said:?}");
    }
    let signature = STANDARD.encode(sign(&own, &next));
    put(&next, Some(signature.as_bytes()));
    running.says("release 2-");
    job.feed(100..200);
    let all = job.read(0..200);
    for (id, copies) in all {
        let release = &copies[0].headers["tailwater-release"];
        assert!(
            copies.len() == 1 && release.starts_with(if id < 100 { "1-" } else { "2-" }),
            "id {id}: {release}"
        );
    }
    assert!(running.terminate().success());
}
