//! What the system's allocator is told before a daemon begins (`design/operations.md`).

/// What is set unless one of these is set already. The exported unit and the image say the same.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_TRIM_THRESHOLD_", "262144"), ("MALLOC_MMAP_THRESHOLD_", "131072")];

/// Becomes this program again, with settings for its allocator, which reads them when a process begins and never again.
/// Returns if there is nothing to set, or if it cannot be done: a daemon without them works, and keeps more memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn settle() {
    use std::os::unix::process::CommandExt as _;

    if SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
    // It returns an error or not at all, and nothing is logged yet.
    let _ = std::process::Command::new(program).arg0(name).args(arguments).envs(SETTINGS).exec();
}

/// Other allocators have no such settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn settle() {}
