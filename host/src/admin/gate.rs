//! Which requests are let in.
//!
//! - A page in a browser may send requests to loopback, and by a name that is rebound even read the answers. Browsers say
//!   where a request comes from, in headers that nobody else sends; and a name that is rebound stands in `Host`.
//! - With tokens, only who has one is let in, but for who asks whether the process is well.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::problem::Problem;
use super::tokens::Tokens;
use crate::error::Code;

/// Those that need no token.
const OPEN: [&str; 2] = ["/live", "/ready"];
/// What a form of a page may send without asking first.
const FORMS: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// Gives the name of the token, if tokens are asked for. `bound`: the address that is listened at.
pub(super) fn admit<'a>(
    parts: &Parts,
    bound: IpAddr,
    tokens: &'a Tokens,
) -> Result<Option<&'a str>, Problem> {
    no_browser(&parts.headers)?;
    if bound.is_loopback() {
        is_for(parts, bound)?;
    }
    let name = if OPEN.contains(&parts.uri.path()) { None } else { token(&parts.headers, tokens)? };
    no_form(parts)?;
    Ok(name)
}

fn from_page(why: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, Code::WebPage, why)
}

fn no_browser(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |name: &str| Err(from_page(format!("it has the header {name}, as those of browsers have")));
    if headers.contains_key(header::ORIGIN) {
        return refuse("Origin");
    }
    // Nobody's page: it was typed in.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "none") {
        return refuse("Sec-Fetch-Site");
    }
    Ok(())
}

/// Each name that the request has for this host must be one of loopback.
fn is_for(parts: &Parts, bound: IpAddr) -> Result<(), Problem> {
    let named = parts.headers.get_all(header::HOST).iter();
    let mut named: Vec<Option<Authority>> = named
        .map(|value| std::str::from_utf8(value.as_bytes()).ok().and_then(|value| value.parse().ok()))
        .collect();
    named.extend(parts.uri.authority().map(|authority| Some(authority.clone())));
    let is_ours =
        |name: &Option<Authority>| name.as_ref().is_some_and(|name| is_loopback(name.host(), bound));
    if !named.is_empty() && named.iter().all(is_ours) {
        return Ok(());
    }
    Err(from_page(
        "it is for another host than loopback: Host must be localhost, 127.0.0.1 or [::1]".to_owned(),
    ))
}

fn is_loopback(host: &str, bound: IpAddr) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address == bound)
}

fn token<'a>(headers: &HeaderMap, tokens: &'a Tokens) -> Result<Option<&'a str>, Problem> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let refuse = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, why);
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| refuse("it has no token"))?;
    let value = value.to_str().unwrap_or_default();
    let bearer = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = bearer.ok_or_else(|| refuse("Authorization is to be `Bearer TOKEN`"))?;
    let name = tokens.find(token.trim());
    name.map(Some).ok_or_else(|| refuse("its token is none of those that count"))
}

fn no_form(parts: &Parts) -> Result<(), Problem> {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(());
    }
    let Some(value) = parts.headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if FORMS.iter().any(|form| essence.eq_ignore_ascii_case(form)) {
        let text = format!(
            "content type {essence} is that of a form: send a file with application/octet-stream (`curl -T FILE` \
             sends none, which will do), all else with application/json"
        );
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::RequestBody, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    /// The status that a request is refused with, or the token's name.
    fn ask(
        bound: [u8; 4],
        tokens: bool,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<String>, u16> {
        let tokens = Tokens::read(None, tokens.then_some("ops 0123456789abcdef")).expect("a token or none");
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let admitted = admit(&parts, IpAddr::from(bound), &tokens);
        admitted.map(|name| name.map(str::to_owned)).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn on_loopback_all_but_browsers_are_let_in() {
        let ask = |headers: &[(&str, &str)]| ask([127, 0, 0, 1], false, "/v1/pipelines", headers);
        for host in ["localhost", "LOCALHOST:8811", "127.0.0.1:8811", "127.7.7.7", "[::1]:8811"] {
            assert_eq!(ask(&[("host", host)]), Ok(None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8811", "10.0.0.1", "", "127.0.0.1.nip.io"] {
            assert_eq!(ask(&[("host", host)]), Err(403), "{host}");
        }
        assert_eq!(ask(&[]), Err(403), "no Host at all");
        assert_eq!(ask(&[("host", "localhost"), ("host", "evil.example")]), Err(403));
        for origin in ["null", "http://localhost:8811", "https://evil.example"] {
            assert_eq!(ask(&[("host", "localhost"), ("origin", origin)]), Err(403), "{origin}");
        }
        for (site, expected) in [("cross-site", Err(403)), ("same-origin", Err(403)), ("none", Ok(None))] {
            assert_eq!(ask(&[("host", "localhost"), ("sec-fetch-site", site)]), expected, "{site}");
        }
        for form in ["text/plain", "Multipart/Form-Data; boundary=x", "application/x-www-form-urlencoded"] {
            assert_eq!(ask(&[("host", "localhost"), ("content-type", form)]), Err(415), "{form}");
        }
        assert_eq!(ask(&[("host", "localhost"), ("content-type", "application/json")]), Ok(None));
    }

    #[test]
    fn with_tokens_only_who_has_one_is_let_in() {
        let bearer = format!("Bearer {TOKEN}");
        let own: &[(&str, &str)] = &[("host", "host.example:8811"), ("authorization", &bearer)];
        let ask = |path: &str, headers: &[(&str, &str)]| ask([10, 0, 0, 1], true, path, headers);
        assert_eq!(ask("/v1/pipelines", own), Ok(Some("ops".to_owned())));
        assert_eq!(
            ask("/v1/pipelines", &[("authorization", "bearer  0123456789abcdef")]).ok().flatten().as_deref(),
            Some("ops")
        );
        for wrong in ["", "Bearer", "Bearer ", "Basic 0123456789abcdef", "Bearer 0123456789abcdeg", TOKEN] {
            assert_eq!(ask("/v1/pipelines", &[("authorization", wrong)]), Err(401), "{wrong}");
        }
        for path in ["/v1/pipelines", "/v1/openapi.json", "/", "/live/x", "/livex"] {
            assert_eq!(ask(path, &[]), Err(401), "{path}");
        }
        for path in ["/live", "/ready"] {
            assert_eq!(ask(path, &[]), Ok(None), "{path}");
        }
        let page = [("authorization", bearer.as_str()), ("origin", "http://host.example")];
        assert_eq!(ask("/v1/pipelines", &page), Err(403));
    }
}
