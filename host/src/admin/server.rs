//! The server: a thread, a listener, and connections, each with one request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::body::FILE_WITHIN;
use super::ports::Host;
use super::routes::{Api, LONG, Peer, WAIT, router};
use super::tokens::Tokens;
use crate::error::{Code, Error, Result};

/// At a time; others wait until one is over.
const CONNECTIONS: usize = 64;
/// For a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of it, and of a piece of a body.
const HEAD: usize = 32 << 10;
/// From a connection's beginning to its end: a file, a wait for what becomes of it, and some time in between.
const CONNECTION_WITHIN: Duration = FILE_WITHIN.saturating_add(WAIT).saturating_add(Duration::from_secs(300));
/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// At the end what is being answered has so long.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// Where it listens, and who may ask.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub tokens: Tokens,
}

impl Options {
    fn check(&self) -> Result<()> {
        let Self { listen, tokens } = self;
        if listen.ip().is_loopback() || !tokens.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{listen} can be reached from other machines, and there is no token: give one with --admin-token-file or \
             TAILWATER_ADMIN_TOKEN, or listen on loopback, 127.0.0.1:{}",
            listen.port()
        );
        Err(Error::new(Code::AdminOpen, text))
    }
}

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Server {
    host: Arc<Host>,
    address: SocketAddr,
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn open(options: Options) -> Result<Self> {
        options.check()?;
        let Options { listen, tokens } = options;
        let refuse = |error: io::Error| Error::new(Code::AdminListen, format!("{listen}: {error}"));
        let listener = TcpListener::bind(listen).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(LONG).build();
        let runtime = runtime.map_err(refuse)?;
        let host = Arc::<Host>::default();
        let names = format!("{tokens:?}");
        let router = router(Api::new(Arc::clone(&host), tokens, address.ip()));
        let (close, closed) = oneshot::channel();
        let thread = thread::Builder::new().name("admin".to_owned());
        let thread = thread.spawn(move || work(runtime, listener, router, closed)).map_err(refuse)?;
        info!(%address, tokens = names, "the admin API listens");
        Ok(Self { host, address, close: Some(close), thread: Some(thread) })
    }

    /// What it tells of.
    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            // It panicked: that was said.
            let _ = thread.join();
        }
    }
}

fn work(runtime: Runtime, listener: TcpListener, router: Router, closed: oneshot::Receiver<()>) {
    let served = runtime.block_on(serve(listener, router, closed));
    if let Err(error) = served {
        warn!("the admin API has ended: {error}");
    }
    // What waits for a broker is left behind.
    runtime.shutdown_background();
}

async fn serve(listener: TcpListener, router: Router, mut closed: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            _ = &mut closed => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, peer, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                debug!("no connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // All places are free when all is answered.
    let _ = timeout(CLOSED_WITHIN, places.acquire_many(CONNECTIONS as u32)).await;
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer.ip()))));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD).keep_alive(false);
    match timeout(CONNECTION_WITHIN, http.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%peer, "a connection ends: {error}"),
        Err(_) => debug!(%peer, "a connection takes too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_open_to_nobody_by_mistake() {
        let check = |listen: &str, token: Option<&str>| {
            let tokens = Tokens::read(None, token).expect("a token or none");
            let checked = Options { listen: listen.parse().expect("an address"), tokens }.check();
            checked.map_err(|error| error.code)
        };
        for loopback in ["127.0.0.1:8811", "127.3.2.1:0", "[::1]:8811"] {
            assert_eq!(check(loopback, None), Ok(()));
        }
        for other in ["0.0.0.0:8811", "[::]:8811", "10.0.0.1:80", "[fe80::1]:8811", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(check(other, None), Err(Code::AdminOpen), "{other}");
            assert_eq!(check(other, Some("0123456789abcdef")), Ok(()));
        }
    }
}
