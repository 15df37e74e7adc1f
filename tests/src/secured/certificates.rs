//! Certificates, made on the spot.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Now,
    /// It expired yesterday.
    Before,
}

/// Who issues certificates.
#[derive(Debug)]
pub struct Authority {
    own: X509,
    key: PKey<Private>,
}

/// A certificate and its key, in PEM form.
pub struct Issued {
    pub certificate: String,
    pub key: String,
    private: PKey<Private>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = new_key();
        let mut builder = builder(name, name, &key, Life::Now);
        let is_authority = BasicConstraints::new().critical().ca().build().expect("an extension");
        let usage = KeyUsage::new().critical().key_cert_sign().build().expect("an extension");
        builder.append_extension(is_authority).expect("appended");
        builder.append_extension(usage).expect("appended");
        builder.sign(&key, MessageDigest::sha256()).expect("signed");
        Self { own: builder.build(), key }
    }

    pub fn certificate(&self) -> String {
        text(self.own.to_pem().expect("PEM"))
    }

    /// For a name, and an address if it is to be asked there.
    pub fn issue(&self, name: &str, address: Option<&str>, life: Life) -> Issued {
        let private = new_key();
        let issuer = self.own.subject_name().entries().next().expect("a name");
        let issuer = issuer.data().to_string().expect("UTF-8");
        let mut builder = builder(name, &issuer, &private, life);
        if let Some(address) = address {
            let context = builder.x509v3_context(Some(&self.own), None);
            let hosts = SubjectAlternativeName::new().ip(address).build(&context).expect("an extension");
            builder.append_extension(hosts).expect("appended");
        }
        builder.sign(&self.key, MessageDigest::sha256()).expect("signed");
        let certificate = text(builder.build().to_pem().expect("PEM"));
        let key = text(private.private_key_to_pem_pkcs8().expect("PEM"));
        Issued { certificate, key, private }
    }
}

impl Issued {
    /// The key, for who has the password.
    pub fn encrypted(&self, password: &str) -> String {
        let pem =
            self.private.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes());
        text(pem.expect("PEM"))
    }
}

fn builder(name: &str, issuer: &str, key: &PKey<Private>, life: Life) -> X509Builder {
    const DAY: i64 = 86_400;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    let at = |days: i64| Asn1Time::from_unix(now + days * DAY).expect("a time");
    let (from, to) = match life {
        Life::Now => (at(-2), at(2)),
        Life::Before => (at(-3), at(-1)),
    };
    let mut serial = BigNum::new().expect("a number");
    serial.rand(127, MsbOption::MAYBE_ZERO, false).expect("random");
    let mut builder = X509::builder().expect("a builder");
    builder.set_version(2).expect("version 3");
    builder.set_serial_number(&serial.to_asn1_integer().expect("a number")).expect("set");
    builder.set_subject_name(&called(name)).expect("set");
    builder.set_issuer_name(&called(issuer)).expect("set");
    builder.set_not_before(&from).expect("set");
    builder.set_not_after(&to).expect("set");
    builder.set_pubkey(key).expect("set");
    builder
}

fn called(name: &str) -> X509Name {
    let mut builder = X509Name::builder().expect("a builder");
    builder.append_entry_by_nid(Nid::COMMONNAME, name).expect("appended");
    builder.build()
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).expect("PEM is ASCII")
}
