//! One message to the collector, and its answer.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::endpoint::Endpoint;
use super::wire::Answer;
use crate::error::{Code, Error, Result};

/// From connecting to the end of the answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer's head and of its body. It has next to nothing to say.
const HEAD: usize = 32 << 10;
const BODY: usize = 64 << 10;
/// Characters of its words that are told.
const WORDS: usize = 200;

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub why: String,
    /// The same message may be taken later.
    pub may_pass: bool,
}

impl Failure {
    fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), may_pass: true }
    }
}

/// Who posts. It has secrets, and tells none.
pub struct Post {
    endpoint: Endpoint,
    headers: HeaderMap,
    tls: Option<SslConnector>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({})", self.endpoint)
    }
}

impl Post {
    /// `ca`: a file with the authorities that are trusted, instead of the system's.
    pub fn new(endpoint: Endpoint, headers: &[(String, String)], ca: Option<&Path>) -> Result<Self> {
        let mut map = HeaderMap::new();
        for (at, (name, value)) in headers.iter().enumerate() {
            let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(mut value)) = (name, value) else {
                let text = format!("OTEL_EXPORTER_OTLP_HEADERS: part {} is no header", at + 1);
                return Err(Error::new(Code::Collector, text));
            };
            value.set_sensitive(true);
            map.insert(name, value);
        }
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let agent = concat!("tailwater/", env!("CARGO_PKG_VERSION"));
        map.insert(USER_AGENT, HeaderValue::from_static(agent));
        let host = HeaderValue::try_from(&endpoint.authority);
        map.insert(HOST, host.map_err(|_| Error::new(Code::Collector, "the host is no name"))?);
        let tls = endpoint.tls.then(|| connector(ca)).transpose()?;
        Ok(Self { endpoint, headers: map, tls })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Posts a kind of data, `metrics`. An answer of the collector that takes it in part is a failure, too.
    pub async fn send(&self, of: &str, message: Vec<u8>) -> Result<(), Failure> {
        let mut request = Request::post(self.endpoint.path(of)).body(Full::new(Bytes::from(message)));
        if let Ok(request) = &mut request {
            request.headers_mut().clone_from(&self.headers);
        }
        let request = request.map_err(|error| Failure { why: error.to_string(), may_pass: false })?;
        let answered = timeout(WITHIN, self.exchange(request)).await;
        let (status, body) =
            answered.map_err(|_| Failure::passing(format!("no answer within {WITHIN:?}")))??;
        judge(status, &body)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.map_err(|error| Failure::passing(format!("connecting: {error}")))?;
        let Some(tls) = &self.tls else { return talk(stream, request).await };
        let failed = |error: &dyn fmt::Display| Failure::passing(format!("TLS: {error}"));
        let session =
            tls.configure().and_then(|session| session.into_ssl(host)).map_err(|error| failed(&error))?;
        let mut stream = SslStream::new(session, stream).map_err(|error| failed(&error))?;
        Pin::new(&mut stream).connect().await.map_err(|error| failed(&error))?;
        talk(stream, request).await
    }
}

fn connector(ca: Option<&Path>) -> Result<SslConnector> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())
        .map_err(|error| Error::new(Code::Internal, format!("OpenSSL has no client: {error}")))?;
    if let Some(file) = ca {
        builder.set_ca_file(file).map_err(|error| {
            Error::new(Code::ConfigUnreadable, format!("--otlp-ca: {}: {error}", file.display()))
        })?;
    }
    Ok(builder.build())
}

async fn talk<T>(stream: T, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: &dyn std::error::Error| {
        let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
        Failure::passing(format!("{error}{source}"))
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let talk = async {
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), BODY).collect().await;
        let body = body.map_err(|error| Failure::passing(format!("its answer: {error}")))?;
        Ok((status, body.to_bytes()))
    };
    // The connection works while it is waited for; whoever waits hears of its end.
    let work = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        talked = talk => talked,
        () = work => unreachable!("it waits for ever"),
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Result<(), Failure> {
    if status.is_success() {
        // One that can't be read says nothing of use: it was taken.
        let partial = Answer::decode(body).ok().and_then(|answer| answer.partial);
        return match partial {
            Some(partial) if partial.rejected > 0 => {
                let why = format!("{} points or spans are refused: {}", partial.rejected, told(&partial.why));
                Err(Failure { why, may_pass: false })
            }
            _ => Ok(()),
        };
    }
    let may_pass = matches!(status.as_u16(), 408 | 429 | 500..);
    let words = told(&String::from_utf8_lossy(body));
    let between = if words.is_empty() { "" } else { ": " };
    Err(Failure { why: format!("it answers {status}{between}{words}"), may_pass })
}

/// Its words, as far as they are some.
fn told(words: &str) -> String {
    words.trim().chars().take_while(|c| !c.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests;
