//! What requests bring along: a little that is read as a whole, or a file that goes to another thread piece by piece.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::problem::Problem;
use crate::error::Code;

/// Bytes of what is no file.
pub(super) const SMALL: usize = 64 << 10;
/// Between two pieces.
const PIECE_WITHIN: Duration = Duration::from_secs(20);
const SMALL_WITHIN: Duration = Duration::from_secs(30);
/// A file.
pub(super) const FILE_WITHIN: Duration = Duration::from_secs(600);
/// Pieces on their way to the other thread; each is some KiB.
const ON_THE_WAY: usize = 8;

/// None stands for the end. Without it the sender gave up.
type Piece = Option<Bytes>;

fn refuse(status: StatusCode, why: impl Into<String>) -> Problem {
    Problem::new(status, Code::RequestBody, why)
}

fn too_large(limit: u64) -> Problem {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes, which are the most"))
}

/// Refuses what says that it is too large.
pub(super) fn announced(headers: &HeaderMap, limit: u64) -> Result<(), Problem> {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
}

/// All of it.
pub(super) async fn small(mut body: Body) -> Result<Vec<u8>, Problem> {
    let read = async {
        let mut bytes = Vec::new();
        while let Some(piece) = piece(&mut body).await? {
            if bytes.len() + piece.len() > SMALL {
                return Err(too_large(SMALL as u64));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    timeout(SMALL_WITHIN, read).await.unwrap_or_else(|_| Err(too_slow()))
}

async fn piece(body: &mut Body) -> Result<Piece, Problem> {
    loop {
        let frame = timeout(PIECE_WITHIN, body.frame()).await.map_err(|_| too_slow())?;
        let cut = |_| refuse(StatusCode::BAD_REQUEST, "the body does not come to its end");
        let Some(frame) = frame.transpose().map_err(cut)? else { return Ok(None) };
        if let Some(data) = frame.into_data().ok().filter(|data| !data.is_empty()) {
            return Ok(Some(data));
        }
    }
}

fn too_slow() -> Problem {
    refuse(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly")
}

/// Sends a file's pieces on; gives up when nobody takes them any more, who then says why.
pub(super) async fn feed(mut body: Body, limit: u64, to: Sender<Piece>) -> Result<(), Problem> {
    let feed = async {
        let mut left = limit;
        loop {
            let piece = piece(&mut body).await?;
            let bytes = piece.as_ref().map_or(0, Bytes::len) as u64;
            left = left.checked_sub(bytes).ok_or_else(|| too_large(limit))?;
            let is_last = piece.is_none();
            if to.send(piece).await.is_err() || is_last {
                return Ok(());
            }
        }
    };
    timeout(FILE_WITHIN, feed).await.unwrap_or_else(|_| Err(too_slow()))
}

/// Between [`feed`] and the thread that reads.
pub(super) fn pipe() -> (Sender<Piece>, Pieces) {
    let (sender, receiver) = channel(ON_THE_WAY);
    (sender, Pieces { receiver, rest: Bytes::new(), is_over: false })
}

/// A file as it comes. To be read on a thread that may wait.
#[derive(Debug)]
pub(super) struct Pieces {
    receiver: Receiver<Piece>,
    rest: Bytes,
    is_over: bool,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.is_over {
            match self.receiver.blocking_recv() {
                Some(Some(piece)) => self.rest = piece,
                Some(None) => self.is_over = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let bytes = self.rest.len().min(into.len());
        into[..bytes].copy_from_slice(&self.rest.split_to(bytes));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_file_and_half_of_it_is_none() {
        let (sender, mut pieces) = pipe();
        for piece in [Some("ab"), Some("cde"), None] {
            sender.try_send(piece.map(|piece| Bytes::from_static(piece.as_bytes()))).expect("room");
        }
        let mut text = String::new();
        pieces.read_to_string(&mut text).expect("whole");
        assert_eq!(text, "abcde");
        let (sender, mut pieces) = pipe();
        sender.try_send(Some(Bytes::from_static(b"ab"))).expect("room");
        drop(sender);
        assert_eq!(
            pieces.read_to_end(&mut Vec::new()).expect_err("half").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
