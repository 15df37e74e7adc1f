//! What the system says of a process that runs.

use std::fs;

fn status(process: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or_else(|| panic!("{name} is not told")) << 10
}

/// Bytes in memory.
pub fn resident(process: u32) -> u64 {
    status(process, "VmRSS")
}

/// The most that there ever were.
pub fn peak(process: u32) -> u64 {
    status(process, "VmHWM")
}

/// Files, sockets and the like that it holds open.
pub fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_seen() {
        let own = std::process::id();
        let before = open_files(own);
        let held: Vec<_> =
            (0..50).map(|_| fs::File::open("/proc/self/status").expect("it is there")).collect();
        assert!(open_files(own) >= before.max(held.len()));
        // The system counts roughly: one may be ahead of the other.
        assert!(resident(own) > 1 << 20 && peak(own) > 1 << 20);
    }
}
