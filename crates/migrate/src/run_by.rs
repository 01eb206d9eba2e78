//! Who runs migrations, for the record.

/// Host and process, such as `web-7d9f:4711`. In a container the host is the container's id.
pub(crate) fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "unknown host".to_owned());
    let host: String = host.chars().take(200).collect();
    format!("{host}:{}", std::process::id())
}
