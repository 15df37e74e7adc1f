//! Where a collector is.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// The address of a collector: `http://HOST:PORT`, or with https, and with a path before those of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) tls: bool,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// As it stands in the header `host`.
    pub(super) authority: String,
    /// Without a slash at its end.
    path: String,
}

impl Endpoint {
    /// Of a kind of data, `metrics`.
    pub(super) fn path(&self, of: &str) -> String {
        format!("{}/v1/{of}", self.path)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "it must be such as http://127.0.0.1:4318";
        // What is wrong with it is not repeated: somebody may have written a password into it.
        let uri: Uri = text.trim().parse().map_err(|_| format!("it is no URL; {example}"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(format!("it is neither http nor https; {example}")),
        };
        let authority = uri.authority().ok_or(example)?.as_str().to_owned();
        if authority.contains('@') {
            return Err("a password does not belong into it: set OTEL_EXPORTER_OTLP_HEADERS".to_owned());
        }
        if uri.query().is_some() {
            return Err(format!("it has a query; {example}"));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("it names no host; {example}"));
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port, authority, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, tls, host, port, path) in [
            ("http://127.0.0.1:4318", false, "127.0.0.1", 4318, "/v1/metrics"),
            ("http://collector/", false, "collector", 80, "/v1/metrics"),
            ("https://[::1]:4318/a/b/", true, "::1", 4318, "/a/b/v1/metrics"),
            ("HTTPS://otlp.example/otlp", true, "otlp.example", 443, "/otlp/v1/metrics"),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!((endpoint.tls, endpoint.host.as_str(), endpoint.port), (tls, host, port), "{text}");
            assert_eq!(endpoint.path("metrics"), path);
        }
        for wrong in [
            "",
            "collector:4318",
            "grpc://a:4317",
            "/v1/metrics",
            "http://a b",
            "http://a/?x=y",
            "http://:80",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
        let error = "http://me:hush@a".parse::<Endpoint>().expect_err("a password");
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("hush"), "{error}");
    }
}
