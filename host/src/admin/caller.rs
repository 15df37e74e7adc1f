//! Who asks.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// The header in which a client says on whose behalf it asks. It is believed as far as the client is.
pub(super) const BY: &str = "tailwater-by";
const NAME: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The name of its token, if tokens are asked for.
    pub token: Option<String>,
    /// What it calls itself.
    pub name: Option<String>,
    pub peer: IpAddr,
}

impl Caller {
    pub fn new(token: Option<&str>, headers: &HeaderMap, peer: IpAddr) -> Self {
        let name = headers.get(BY).map(|value| plain(value.as_bytes()));
        Self { token: token.map(str::to_owned), name: name.filter(|name| !name.is_empty()), peer }
    }

    /// For the history: `TOKEN/NAME@ADDRESS`. No name looks like that of a token.
    pub fn by(&self) -> String {
        let who = match (&self.token, &self.name) {
            (Some(token), Some(name)) => format!("{token}/{name}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "somebody".to_owned(),
        };
        format!("{who}@{}", self.peer)
    }
}

/// Letters, digits and a few more, so that nothing can be made up with it.
fn plain(name: &[u8]) -> String {
    let plain = |byte: &u8| match byte {
        b'-' | b'.' | b'+' => char::from(*byte),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte),
        _ => '_',
    };
    name.iter().take(NAME).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn who_it_was_is_one_plain_word() {
        let by = |token: Option<&str>, name: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(BY, HeaderValue::from_bytes(name).expect("a value"));
            Caller::new(token, &headers, IpAddr::from([127, 0, 0, 1])).by()
        };
        assert_eq!(by(None, b"ann"), "ann@127.0.0.1");
        assert_eq!(by(Some("ops"), b"ann"), "ops/ann@127.0.0.1");
        assert_eq!(by(Some("ops"), b""), "ops@127.0.0.1");
        assert_eq!(by(None, b""), "somebody@127.0.0.1");
        assert_eq!(by(None, b"ops/root@10.0.0.1 \xff\t"), "ops_root_10.0.0.1___@127.0.0.1");
        assert_eq!(by(None, &[b'a'; 1000]).len(), 64 + "@127.0.0.1".len());
    }
}
