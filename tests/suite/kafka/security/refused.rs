//! What brokers and clients can have against each other, each with its own error.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tailwater_tests::secured::{SCORER, password, user};

use super::{Stand, sasl};

/// The machine is shared: programs that wait for brokers may do so together.
const AT_A_TIME: usize = 4;
/// What no time heals is told long before brokers are given up, after 10 s.
const SOON: Duration = Duration::from_secs(8);

struct Case {
    stand: Stand,
    arguments: &'static [&'static str],
    code: &'static str,
    says: Vec<String>,
    /// It can only be told after all brokers had their time.
    waits: bool,
}

/// Of `validate --connect`.
fn case(brokers: &str, sections: &str, code: &'static str, says: &[&str]) -> Case {
    let stand = Stand::new("refused").expect("there is one");
    stand.put("right", &format!("{}\n", password(SCORER)));
    stand.put("wrong", "Falsch-scorer-7c1e");
    stand.write(brokers, sections);
    let says = says.iter().map(|text| (*text).to_owned()).collect();
    Case { stand, arguments: &["validate", "--connect"], code, says, waits: false }
}

impl Case {
    fn check(&self) {
        let began = Instant::now();
        let (ok, said) = self.stand.say_with(self.arguments, &[], &[("TAILWATER_LOG", "debug")]);
        let took = began.elapsed();
        println!("{took:?} {said}");
        assert!(!ok && said.contains(&format!("error {}, ", self.code)), "{}: {said}", self.code);
        for part in &self.says {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(self.waits || took < SOON, "it took {took:?}: {said}");
        assert!(!said.contains("-7c1e"), "a password is shown: {said}");
    }
}

fn check(cases: Vec<Case>) {
    let waiting = Mutex::new(cases.into_iter());
    let next = || waiting.lock().expect("no case has failed").next();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = next() {
                    case.check();
                }
            });
        }
    });
}

#[test]
fn certificates_of_brokers() {
    let Some(stand) = Stand::new("certificates") else { return };
    let secured = &stand.secured;
    let (ours, others) = (stand.tls("ca.pem"), stand.tls("other-ca.pem"));
    let login = sasl("SCRAM-SHA-512", SCORER, "right");
    let by_name = secured.login_by_another_name();
    check(vec![
        case(
            &secured.login(),
            &format!("{others}{login}"),
            "TW512",
            &["CN=broker (issued by CN=ours)", "other-ca.pem", &secured.login()],
        ),
        case(
            &secured.login(),
            &format!("[kafka.tls]\n{login}"),
            "TW512",
            &["issued by CN=ours", "no kafka.tls.ca"],
        ),
        case(&secured.expired(), &ours, "TW513", &["expired on", "CN=broker"]),
        case(&by_name, &format!("{ours}{login}"), "TW514", &["is not for localhost, but for 127.0.0.1"]),
        Case {
            arguments: &["run"],
            ..case(&secured.login(), &format!("{others}{login}"), "TW512", &["other-ca.pem"])
        },
    ]);
    // Another broker may still be fine.
    let both = format!("{},{}", secured.expired(), secured.login());
    case(&both, &format!("{ours}{login}"), "TW508", &["refused-"]).check();
    let unchecked = case(&by_name, &format!("{ours}check_host = false\n{login}"), "TW508", &["refused-"]);
    unchecked.check();
}

#[test]
fn certificates_of_clients() {
    let Some(stand) = Stand::new("certificates") else { return };
    let (secured, ours) = (&stand.secured, stand.tls("ca.pem"));
    let own = |name: &str, key: &str| {
        let (certificate, key) = (stand.of_broker(&format!("{name}.pem")), stand.of_broker(key));
        format!("{ours}certificate = \"{certificate}\"\nkey = \"{key}\"\n")
    };
    let encrypted = own("client", "client.encrypted.key");
    check(vec![
        case(&secured.mutual(), &ours, "TW516", &["wants a certificate of this client"]),
        case(
            &secured.mutual(),
            &own("stranger", "stranger.key"),
            "TW516",
            &["CN=stranger (issued by CN=others)"],
        ),
        case(&secured.mutual(), &own("expired", "expired.key"), "TW516", &["CN=expired", "valid from"]),
        case(
            &secured.mutual(),
            &own("client", "stranger.key"),
            "TW519",
            &["the key is not that of the certificate"],
        ),
        case(
            &secured.mutual(),
            &own("client", "client.pem"),
            "TW519",
            &["client.pem", "no private key in PEM form"],
        ),
        case(&secured.mutual(), &encrypted, "TW519", &["is encrypted", "key_password_file"]),
        case(
            &secured.mutual(),
            &format!("{encrypted}key_password_file = \"wrong\"\n"),
            "TW519",
            &["can't be decrypted"],
        ),
        case(
            &secured.mutual(),
            &stand.tls("client.key"),
            "TW519",
            &["kafka.tls.ca", "no certificate in PEM form"],
        ),
        case(&secured.mutual(), &stand.tls("nowhere.pem"), "TW101", &["kafka.tls.ca", "nowhere.pem"]),
    ]);
}

#[test]
fn users_and_passwords() {
    let Some(stand) = Stand::new("passwords") else { return };
    let (secured, ours) = (&stand.secured, stand.tls("ca.pem"));
    let at_login =
        |login: &str, code, says: &[&str]| case(&secured.login(), &format!("{ours}{login}"), code, says);
    let wrong = |mechanism: &str| sasl(mechanism, SCORER, "wrong");
    check(vec![
        at_login(&wrong("SCRAM-SHA-512"), "TW517", &["user \"scorer\" can't log in by SCRAM-SHA-512"]),
        at_login(&wrong("SCRAM-SHA-256"), "TW517", &["by SCRAM-SHA-256", &secured.login()]),
        at_login(&wrong("PLAIN"), "TW517", &["by PLAIN"]),
        at_login(&sasl("SCRAM-SHA-512", "nobody", "right"), "TW517", &["user \"nobody\""]),
        at_login(
            &sasl("SCRAM-SHA-512", SCORER, "nowhere"),
            "TW101",
            &["kafka.sasl.password_file", "nowhere"],
        ),
        Case { arguments: &["run"], ..at_login(&wrong("SCRAM-SHA-512"), "TW517", &[]) },
        Case { arguments: &["release", "status"], ..at_login(&wrong("PLAIN"), "TW517", &[]) },
        Case { arguments: &["state", "reset"], ..at_login(&wrong("PLAIN"), "TW517", &[]) },
    ]);
}

#[test]
fn a_listener_of_another_kind() {
    let Some(stand) = Stand::new("listeners") else { return };
    let (secured, ours) = (&stand.secured, stand.tls("ca.pem"));
    let login = sasl("PLAIN", &user(0), "right");
    check(vec![
        Case { waits: true, ..case(&secured.admin(), &ours, "TW515", &[&secured.admin()]) },
        Case { waits: true, ..case(&secured.login(), "", "TW515", &["no [kafka.tls]"]) },
        Case { waits: true, ..case(&secured.login(), &ours, "TW518", &["no [kafka.sasl]"]) },
        case(&secured.admin(), &login, "TW518", &[&secured.admin()]),
    ]);
}
