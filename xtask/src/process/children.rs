//! Processes as groups.
//!
//! Each process that we start leads a group of its own, so that it can be ended with all that it started. It is on
//! the list below while it runs; a signal ends what is on the list, newest first. A child also dies with us when we are
//! killed outright (its own children don't). Spawn from the main thread only: the kernel ties that to the thread.

use anyhow::Result;
use libc::{SIGKILL, c_int, c_ulong, pid_t};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How a group is ended early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// Asked first, killed after a few seconds.
    Graceful,
    /// Killed at once: what it holds is thrown away anyway.
    Abrupt,
    /// As `Abrupt`, but it outlives us once it was [released](Running::release).
    Detachable,
}

/// How long a graceful end may take.
const PATIENCE: Duration = Duration::from_secs(8);

struct List {
    groups: Vec<(pid_t, Ending)>,
    /// A signal came: nothing starts any more.
    closed: bool,
}

static LIST: Mutex<List> = Mutex::new(List { groups: Vec::new(), closed: false });

fn list() -> MutexGuard<'static, List> {
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child with its group. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    group: pid_t,
}

pub(crate) fn spawn(command: &mut Command, ending: Ending) -> io::Result<Running> {
    let us = std::process::id();
    let detachable = ending == Ending::Detachable;
    if !detachable {
        command.process_group(0);
    }
    // SAFETY: between fork and exec the closure makes system calls only; it neither allocates nor locks.
    unsafe { command.pre_exec(move || prepare(us, detachable)) };
    let mut list = list();
    if list.closed {
        drop(list);
        park();
    }
    let child = command.spawn()?;
    let group = child.id() as pid_t;
    list.groups.push((group, ending));
    Ok(Running { child, group })
}

/// In the child, before it becomes the program.
fn prepare(parent: u32, detachable: bool) -> io::Result<()> {
    // SAFETY: plain system calls on values that live here.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if detachable {
            return check(libc::setsid());
        }
        check(libc::prctl(libc::PR_SET_PDEATHSIG, SIGKILL as c_ulong))?;
        // Had the parent died before that call, no signal would come.
        if libc::getppid() as u32 == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
    }
}

fn check(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Running {
    pub(crate) fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; whatever it left running in its group is killed.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        while !ended(self.group, 0) {}
        Ok(self.reap()?)
    }

    /// Whether it has ended. It keeps its number until waited for.
    pub(crate) fn has_ended(&self) -> bool {
        ended(self.group, libc::WNOHANG)
    }

    /// Lets it live on without us.
    pub(crate) fn release(self) {
        list().groups.retain(|(group, _)| *group != self.group);
        std::mem::forget(self);
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        // As long as the leader is not reaped, no other group can have its number.
        signal(self.group, SIGKILL);
        let status = self.child.wait();
        let mut list = list();
        if list.closed {
            drop(list);
            park();
        }
        list.groups.retain(|(group, _)| *group != self.group);
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if list().groups.iter().any(|(group, _)| *group == self.group) {
            // Nobody is left to tell if it fails.
            let _ = self.reap();
        }
    }
}

/// Whether the child has ended; without WNOHANG, waits for it. Does not reap.
fn ended(child: pid_t, flags: c_int) -> bool {
    // SAFETY: `info` is plain data, written by the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let result =
            libc::waitid(libc::P_PID, child as u32, &raw mut info, libc::WEXITED | libc::WNOWAIT | flags);
        match result {
            0 => info.si_pid() == child,
            // No such child: the signal thread has reaped it.
            _ => io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD),
        }
    }
}

fn signal(group: pid_t, signal: c_int) -> bool {
    // SAFETY: a system call on numbers.
    unsafe { libc::kill(-group, signal) == 0 }
}

/// The signal thread is ending everything, and this process with it.
fn park() -> ! {
    loop {
        thread::park();
    }
}

/// Ends every group, newest first, by `received` where grace is due. `impatient` waits a moment and tells whether
/// to hurry.
pub(super) fn end_all(received: c_int, mut impatient: impl FnMut() -> bool) {
    let groups = {
        let mut list = list();
        list.closed = true;
        list.groups.clone()
    };
    let mut hurry = false;
    for (group, ending) in groups.into_iter().rev() {
        let gentle = ending == Ending::Graceful && !hurry;
        signal(group, if gentle { received } else { SIGKILL });
        let asked = Instant::now();
        while is_alive(group) {
            hurry |= impatient();
            if hurry || asked.elapsed() > PATIENCE {
                signal(group, SIGKILL);
            }
        }
    }
}

fn is_alive(group: pid_t) -> bool {
    // SAFETY: a system call on numbers. Orphans of the group come to us, so we are the one to reap them.
    while unsafe { libc::waitpid(-group, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
    signal(group, 0)
}

/// Kills the group of a process that an earlier run released.
pub(crate) fn kill_released(leader: u32) {
    signal(leader as pid_t, SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn shell(script: &str, ending: Ending) -> Running {
        spawn(Command::new("sh").args(["-c", script]).stdout(Stdio::piped()), ending).unwrap()
    }

    /// Reads to the end of the child's stdout, which comes when the last process that holds it is gone.
    fn drain(running: &mut Running) {
        let (stdout, _) = running.pipes();
        io::copy(&mut stdout.unwrap(), &mut io::sink()).unwrap();
    }

    #[test]
    fn what_a_child_leaves_running_ends_with_it() {
        let mut child = shell("sleep 1000 & exit 7", Ending::Graceful);
        let (stdout, _) = child.pipes();
        assert_eq!(child.wait().unwrap().code(), Some(7));
        io::copy(&mut stdout.unwrap(), &mut io::sink()).unwrap();
    }

    #[test]
    fn a_dropped_child_is_ended() {
        let mut child = shell("sleep 1000 & sleep 1000", Ending::Abrupt);
        let group = child.group;
        let (stdout, _) = child.pipes();
        assert!(!child.has_ended());
        drop(child);
        io::copy(&mut stdout.unwrap(), &mut io::sink()).unwrap();
        assert!(list().groups.iter().all(|(other, _)| *other != group));
    }

    #[test]
    fn an_ended_child_is_seen_without_losing_its_status() {
        let mut child = shell("exit 5", Ending::Graceful);
        drain(&mut child);
        while !child.has_ended() {}
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }
}
