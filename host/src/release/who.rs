//! Who does something with releases.

use std::fs;

/// `USER@HOST` of this process, as far as the system tells.
pub fn user_at_host() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME")).or_else(uid);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let host = host.or_else(|| variable("HOSTNAME"));
    format!("{}@{}", user.as_deref().unwrap_or("somebody"), host.as_deref().unwrap_or("somewhere"))
}

/// A container has no names of users.
fn uid() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next().map(|uid| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_somewhere() {
        let name = user_at_host();
        let (user, host) = name.split_once('@').expect("both");
        assert!(!user.is_empty() && !host.is_empty(), "{name}");
        assert!(uid().is_some_and(|uid| uid.starts_with("uid ")));
    }
}
