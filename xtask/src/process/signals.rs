//! Ctrl-C, SIGTERM and a closed terminal end all children first, then us.
//!
//! One thread waits for these signals; they are blocked everywhere else. A second signal cuts the courtesy short.

use super::children;
use anyhow::{Context, Result};
use libc::{SIGHUP, SIGINT, SIGTERM, c_int, c_ulong, sigset_t};
use std::thread;
use std::time::Duration;

/// Call it first, on the main thread, before any other thread exists.
pub(crate) fn guard() -> Result<()> {
    let signals = block();
    // Orphans of our children become our children, so that they can be ended and reaped.
    // SAFETY: a system call on numbers. Should it fail, only orphans that left their group escape.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1 as c_ulong) };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let received = loop {
                if let Some(signal) = wait(&signals, Duration::from_secs(3600)) {
                    break signal;
                }
            };
            eprintln!("\nending what runs");
            children::end_all(received, || wait(&signals, Duration::from_millis(20)).is_some());
            std::process::exit(128 + received);
        })
        .map(drop)
        .context("can't start the thread that waits for Ctrl-C")
}

fn block() -> sigset_t {
    // SAFETY: sets and actions are plain data that live here; the calls only read and write them.
    unsafe {
        let mut signals = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        for signal in [SIGINT, SIGTERM] {
            libc::sigaddset(&raw mut signals, signal);
        }
        // Under nohup a closed terminal means nothing.
        let mut hangup: libc::sigaction = std::mem::zeroed();
        libc::sigaction(SIGHUP, std::ptr::null(), &raw mut hangup);
        if hangup.sa_sigaction != libc::SIG_IGN {
            libc::sigaddset(&raw mut signals, SIGHUP);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
        signals
    }
}

fn wait(signals: &sigset_t, patience: Duration) -> Option<c_int> {
    let time = libc::timespec {
        tv_sec: patience.as_secs() as libc::time_t,
        tv_nsec: patience.subsec_nanos() as libc::c_long,
    };
    // SAFETY: both are read by the call only.
    let signal = unsafe { libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const time) };
    (signal > 0).then_some(signal)
}
