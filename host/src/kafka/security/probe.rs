//! A look at a broker's TLS, after librdkafka got nowhere: it tells that a certificate was refused, but not why.
//!
//! The same files, the same checks and the same OpenSSL as librdkafka's, on a connection that is closed again at once.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::pem::{Pem, Trust};
use super::trouble::alert;
use crate::config::Tls;
use crate::error::{Code, Error};

/// Each step: to connect, and to wait for what the broker has against us.
const PATIENCE: Duration = Duration::from_secs(2);

/// What OpenSSL can have against a certificate, as far as it is told apart.
const NOT_YET_VALID: i32 = 9;
const EXPIRED: i32 = 10;
const OTHER_HOST: i32 = 62;
const OTHER_ADDRESS: i32 = 64;

/// A certificate that did not pass, and the first reason.
struct Fault {
    reason: X509VerifyResult,
    certificate: Option<X509>,
}

/// What is wrong between this client and a broker, `HOST:PORT`. None: nothing, or it can't be reached.
pub(super) fn probe(tls: &Tls, broker: &str) -> Option<Error> {
    let (host, port) = broker.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, port.parse().ok()?).to_socket_addrs().ok()?;
    let mut connected = addresses.filter_map(|address| TcpStream::connect_timeout(&address, PATIENCE).ok());
    let stream = connected.next()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let pem = match Pem::read(tls) {
        Ok(pem) => pem,
        Err(error) => return Some(error),
    };
    let fault = Arc::default();
    let ssl = prepared(tls, &pem, host, &fault).ok()?;
    let words = match ssl.connect(stream) {
        Ok(stream) => last_word(stream)?,
        Err(HandshakeError::Failure(failed)) => failed.error().to_string(),
        Err(_) => return None,
    };
    let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (code, text) = match (fault, alert(&words)) {
        (Some(fault), _) => fault.told(host, tls),
        (None, Some(alert)) => (Code::OwnCertificate, own(&pem, alert)),
        (None, None) => (Code::NotTls, format!("it does not answer as one that speaks TLS: {words}")),
    };
    Some(Error::new(code, format!("broker {broker}: {text}")))
}

/// A client as librdkafka has one. Reasons against certificates go to `fault`.
fn prepared(tls: &Tls, pem: &Pem, host: &str, fault: &Arc<Mutex<Option<Fault>>>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    match &pem.trust {
        Trust::Given(text) => {
            for authority in X509::stack_from_pem(text.as_bytes())? {
                context.cert_store_mut().add_cert(authority)?;
            }
        }
        Trust::System(path) => context.set_ca_file(path)?,
        Trust::OpenSsl => context.set_default_verify_paths()?,
    }
    if let Some(own) = &pem.own {
        let mut chain = own.chain().into_iter();
        if let (Some(first), Ok(key)) = (chain.next(), own.private()) {
            context.set_certificate(&first)?;
            context.set_private_key(&key)?;
        }
        chain.try_for_each(|authority| context.add_extra_chain_cert(authority))?;
    }
    let mut ssl = Ssl::new(&context.build())?;
    match host.parse::<IpAddr>() {
        Ok(address) if tls.check_host => ssl.param_mut().set_ip(address)?,
        Ok(_) => {}
        Err(_) => {
            ssl.set_hostname(host)?;
            if tls.check_host {
                ssl.param_mut().set_host(host)?;
            }
        }
    }
    let fault = Arc::clone(fault);
    ssl.set_verify_callback(SslVerifyMode::PEER, move |is_fine, state| {
        if !is_fine {
            let certificate = state.current_cert().map(X509Ref::to_owned);
            let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert_with(|| Fault { reason: state.error(), certificate });
        }
        is_fine
    });
    Ok(ssl)
}

/// With TLS 1.3 a broker says only after the handshake what it has against a client. None: nothing.
fn last_word(mut stream: SslStream<TcpStream>) -> Option<String> {
    let error = stream.read(&mut [0]).err()?;
    let is_silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    Some(error.to_string()).filter(|words| !is_silent && alert(words).is_some())
}

impl Fault {
    fn told(&self, host: &str, tls: &Tls) -> (Code, String) {
        let whose = self.certificate.as_deref().map_or_else(|| "its certificate".to_owned(), name);
        let reason = self.reason.error_string();
        match (self.reason.as_raw(), &self.certificate) {
            (EXPIRED, Some(certificate)) => {
                (Code::Expired, format!("{whose} expired on {}", certificate.not_after()))
            }
            (NOT_YET_VALID, Some(certificate)) => {
                (Code::Expired, format!("{whose} is valid from {} on", certificate.not_before()))
            }
            (OTHER_HOST | OTHER_ADDRESS, Some(certificate)) => {
                (Code::OtherHost, format!("{whose} is not for {host}, but for {}", hosts(certificate)))
            }
            _ => {
                let from = match &tls.ca {
                    Some(path) => format!("kafka.tls.ca, {},", path.display()),
                    None => "the system, as there is no kafka.tls.ca,".to_owned(),
                };
                (Code::Untrusted, format!("{whose} is of no authority that {from} has: {reason}"))
            }
        }
    }
}

fn own(pem: &Pem, alert: &str) -> String {
    let chain = pem.own.as_ref().map(|own| own.chain());
    match chain.as_ref().and_then(|chain| chain.first()) {
        None => {
            format!("it wants a certificate of this client, and there is no kafka.tls.certificate ({alert})")
        }
        Some(own) => format!(
            "it does not take this client's {}, valid from {} to {}: {alert}",
            name(own),
            own.not_before(),
            own.not_after()
        ),
    }
}

/// `certificate of CN=... (issued by CN=...)`
fn name(certificate: &X509Ref) -> String {
    let text = |name: &openssl::x509::X509NameRef| {
        let part = |entry: &openssl::x509::X509NameEntryRef| {
            let key = entry.object().nid().short_name().unwrap_or("?").to_owned();
            let value = entry.data().to_string().unwrap_or_default();
            format!("{key}={value}")
        };
        let parts: Vec<String> = name.entries().map(part).collect();
        if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
    };
    let (subject, issuer) = (text(certificate.subject_name()), text(certificate.issuer_name()));
    format!("certificate of {subject} (issued by {issuer})")
}

/// What it is for.
fn hosts(certificate: &X509Ref) -> String {
    let mut hosts = Vec::new();
    for name in certificate.subject_alt_names().into_iter().flatten() {
        if let Some(host) = name.dnsname() {
            hosts.push(host.to_owned());
        }
        match name.ipaddress() {
            Some([a, b, c, d]) => hosts.push(IpAddr::from([*a, *b, *c, *d]).to_string()),
            Some(bytes) => {
                if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
                    hosts.push(IpAddr::from(bytes).to_string());
                }
            }
            None => {}
        }
    }
    if hosts.is_empty() { "no host at all".to_owned() } else { hosts.join(", ") }
}
