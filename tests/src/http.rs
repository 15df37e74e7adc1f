//! A client of the admin API, as small as can be.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::program::{PATIENCE, Program};

/// The admin API of a program.
#[derive(Clone, Debug)]
pub struct Api {
    address: String,
    token: Option<String>,
}

impl Api {
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), token: None }
    }

    /// Of one that was started with `TAILWATER_ADMIN=127.0.0.1:0`, as soon as it says where it listens.
    pub fn of(program: &Program) -> Self {
        let said = program.says("the admin API listens");
        let line = said.last().expect("it was said");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        Self::at(address.expect("it is told"))
    }

    /// The same, asked with a token.
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Status and document.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let (status, page) = self.text(method, path, body);
        (status, serde_json::from_str(&page).expect("JSON"))
    }

    fn text(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let token = self.token.iter().map(|token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ntailwater-by: tests\r\n{}content-length: {}\r\n\r\n",
            self.address,
            token.collect::<String>(),
            body.len()
        );
        // It may have answered before all was sent.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// What is no document.
    pub fn page(&self, path: &str) -> String {
        let (status, page) = self.text("GET", path, b"");
        assert_eq!(status, 200, "{page}");
        page
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, b"")
    }
}
