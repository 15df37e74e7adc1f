//! The process itself, under the names that all programs use. Where the system does not tell, nothing is said.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use super::sheet::Sheet;

/// Ticks a second, in which Linux tells times of processes on all machines of today.
const TICKS: f64 = 100.0;

pub(super) fn tell(sheet: &mut Sheet) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    sheet.gauge("tailwater_build_info", "The version of the program, as a label.").number(&version, 1.0);
    if let Some(Times { cpu, began }) = read("stat").as_deref().and_then(Times::read) {
        sheet.counter("process_cpu_seconds", "CPU time that was used.").number(&[], cpu);
        if let Some(up) = uptime() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
            let start = now - (up - began);
            sheet.gauge("process_start_time_seconds", "When it began, since the epoch.").number(&[], start);
        }
    }
    let status = read("status").unwrap_or_default();
    let sizes = [
        ("process_resident_memory_bytes", "Resident memory.", "VmRSS:", 1024.0),
        ("process_virtual_memory_bytes", "Virtual memory.", "VmSize:", 1024.0),
        ("process_threads", "Threads of the system.", "Threads:", 1.0),
    ];
    for (name, help, field, unit) in sizes {
        if let Some(value) = value(&status, field) {
            sheet.gauge(name, help).number(&[], value * unit);
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        sheet.gauge("process_open_fds", "Open files.").number(&[], files.count() as f64);
    }
    if let Some(most) = read("limits").and_then(|limits| value(&limits, "Max open files")) {
        sheet.gauge("process_max_fds", "Files that may be open.").number(&[], most);
    }
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// The number behind a field's name.
fn value(text: &str, field: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
}

/// What is of use of `/proc/self/stat`, in seconds.
#[derive(Debug, PartialEq)]
struct Times {
    cpu: f64,
    /// Since the machine began.
    began: f64,
}

impl Times {
    fn read(stat: &str) -> Option<Self> {
        // The second field is the program's name, in brackets, and may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // Fields are numbered from one; the third is the first here.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self { cpu: (field(14)? + field(15)?) / TICKS, began: field(22)? / TICKS })
    }
}

fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 3 0 150 50 0 0 20 0 9 0 4200 1048576 300 5";
        assert_eq!(Times::read(stat), Some(Times { cpu: 2.0, began: 42.0 }));
        assert_eq!(Times::read("7 (a"), None);
        assert_eq!(value("Max open files            1024   4096   files", "Max open files"), Some(1024.0));
    }
}
