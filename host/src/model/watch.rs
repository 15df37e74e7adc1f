//! A watch over what ONNX Runtime does with a model that nobody trusts yet.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

/// How long a model may take to load, and again to answer to four rows of zeros.
pub const LOAD_LIMIT: Duration = Duration::from_secs(60);

/// Works on a thread of its own, which is left behind if it takes longer: nothing can stop ONNX Runtime.
/// An error says how it was lost.
pub(super) fn in_time<R: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, String> {
    let (done, wait) = channel();
    // Nobody listens any more if it comes too late.
    let thread = Builder::new().name("model-load".into()).spawn(move || drop(done.send(work())));
    thread.map_err(|error| format!("no thread could be started: {error}"))?;
    wait.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            format!(
                "it did not end within {} s: its trees may go in circles. Is the file whole?",
                limit.as_secs()
            )
        }
        RecvTimeoutError::Disconnected => "the wrapper of ONNX Runtime panicked: is the file whole?".into(),
    })
}
