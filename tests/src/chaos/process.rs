//! Child processes that end with us, whatever ends us.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// The child dies with the thread that spawns it, which is the one that runs the campaign: after a panic, a Ctrl-C or
/// a kill -9 nothing is left.
pub(crate) fn tie(command: &mut Command) -> &mut Command {
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: system calls on numbers.
        let tied = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
        // SAFETY: as above. Had the parent died before the call, no signal would come.
        if tied < 0 || unsafe { libc::getppid() } as u32 != parent {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only; it neither allocates nor locks.
    unsafe { command.pre_exec(prepare) }
}

/// Sends a signal to a child that is not reaped yet, so that the number is its own.
pub(crate) fn signal(child: &Child, signal: libc::c_int) {
    let id = libc::pid_t::try_from(child.id()).expect("a process's number");
    // SAFETY: a system call on numbers.
    unsafe { libc::kill(id, signal) };
}

/// Kills and reaps it; it may have ended before.
pub(crate) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
