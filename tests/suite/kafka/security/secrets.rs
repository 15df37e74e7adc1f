//! Where secrets come from, and where they are never seen.

use tailwater_tests::broker;
use tailwater_tests::program::Program;
use tailwater_tests::secured::{SCORER, password, user};

use super::{Stand, sasl};

/// All of our own rooms, Kafka's client, and what it tells of its configuration.
const EVERYTHING: (&str, &str) =
    ("TAILWATER_LOG", "debug,tailwater=trace,kafka=trace,rdkafka=trace,librdkafka=trace");
const TALKATIVE: &str = "[kafka.properties]\ndebug = \"conf,security,broker\"\n";

/// Each way in, all in one process: what one pipeline has is not the others'.
#[test]
fn all_ways_in_are_ways_in_and_nothing_tells_of_a_secret() {
    let Some(plain) = Stand::with_topics("plain") else { return };
    let more = || Stand::with_topics("in").expect("there is one");
    let (scram_256, scram_512, mutual) = (more(), more(), more());
    let secured = &plain.secured;
    let (login, tls) = (secured.login(), plain.tls("ca.pem"));
    let own = format!(
        "{tls}certificate = \"{}\"\nkey = \"{}\"\nkey_password_file = \"word\"\n",
        plain.of_broker("client.pem"),
        plain.of_broker("client.encrypted.key")
    );
    for (stand, user, brokers, sections) in [
        (&plain, user(12), &login, tls.clone() + &sasl("PLAIN", &user(12), "word")),
        (&scram_256, SCORER.to_owned(), &login, tls.clone() + &sasl("SCRAM-SHA-256", SCORER, "word")),
        (&scram_512, SCORER.to_owned(), &login, tls.clone() + &sasl("SCRAM-SHA-512", SCORER, "word")),
        (&mutual, "client".to_owned(), &secured.mutual(), own),
    ] {
        secured.grant(&user, &stand.rights());
        stand.put("word", &format!("{}\n", password(&user)));
        stand.write(brokers, &format!("{sections}{TALKATIVE}"));
    }
    let stands = [&plain, &scram_256, &scram_512, &mutual];
    let files = stands.map(|stand| stand.file());
    let mut program = Program::run_all(&files.each_ref().map(|file| file.as_path()), &[EVERYTHING]);
    for stand in stands {
        stand.feed(0..100);
    }
    for stand in stands {
        stand.read(0..100);
    }
    let (status, mut said) = program.terminate_saying();
    assert!(status.success());
    assert!(said.iter().any(|line| line.contains("sasl.password")), "its configuration is not told");
    for stand in stands {
        for topic in ["releases", "release-history"].map(|which| format!("{}.{which}", stand.name)) {
            let records = broker::read_until_at(&secured.admin(), &topic, |got| !got.is_empty());
            said.extend(records.iter().map(|record| {
                format!("{topic}: {:?}", record.value.as_deref().map(String::from_utf8_lossy))
            }));
        }
        said.push(stand.say_with(&["validate", "--connect"], &[], &[EVERYTHING]).1);
    }
    for line in said {
        let shown = ["-7c1e", "PRIVATE KEY"].iter().any(|secret| line.contains(secret));
        assert!(!shown, "a secret is shown: {line}");
    }
}

/// A password goes from the broker to the file, and clients that are connected have to log in all the time.
#[test]
fn a_password_may_change_while_a_pipeline_runs() {
    let Some(stand) = Stand::with_topics("rotated") else { return };
    let secured = &stand.secured;
    let name = format!("{}-user", stand.name);
    secured.change_password(&name, "first-7c1e");
    secured.grant(&name, &stand.rights());
    stand.put("word", "first-7c1e");
    stand.write(
        &secured.impatient(),
        &format!("{}{}", stand.tls("ca.pem"), sasl("SCRAM-SHA-512", &name, "word")),
    );
    let mut program = Program::run(&stand.file(), &[]);
    stand.feed(0..20);
    stand.read(0..20);
    secured.change_password(&name, "second-7c1e");
    program.says("SASL authentication error");
    stand.feed(20..40);
    stand.put("word", "second-7c1e\n");
    stand.read(0..40);
    let (status, said) = program.terminate_saying();
    assert!(status.success());
    assert!(!said.iter().any(|line| line.contains("-7c1e")));
}

/// From the environment alone, as containers have it.
#[test]
fn all_of_it_may_come_from_the_environment() {
    let Some(stand) = Stand::with_topics("environment") else { return };
    let (name, ca) = (user(13), stand.of_broker("ca.pem"));
    stand.secured.grant(&name, &stand.rights());
    stand.write(&stand.secured.login(), "");
    let word = password(&name);
    let environment = [
        ("TAILWATER__KAFKA__TLS__CA", ca.as_str()),
        ("TAILWATER__KAFKA__SASL__MECHANISM", "PLAIN"),
        ("TAILWATER__KAFKA__SASL__USERNAME", name.as_str()),
        ("TAILWATER__KAFKA__SASL__PASSWORD", word.as_str()),
    ];
    let (ok, said) = stand.say_with(&["validate", "--connect"], &[], &environment);
    assert!(ok && !said.contains(&word), "{said}");
    let stolen = [("TAILWATER__KAFKA__SASL__PASWORD", word.as_str())];
    let (ok, said) = stand.say_with(&["validate"], &[], &[&environment[..], &stolen].concat());
    assert!(!ok && said.contains("TW102") && !said.contains(&word), "{said}");
}
