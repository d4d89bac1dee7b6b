//! What a call may leave behind in its process, as far as the system sees it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use mangrove_fs::read::{self, FileKind, Within};
use rustix::process::Pid;

/// What of a process outlives a call and the next one could meet.
#[derive(Debug)]
pub(super) struct Traces {
    working_directory: PathBuf,
    /// The mode bits that files are made without, as the system writes them.
    mode_mask: String,
    /// The open files, sorted: one that stays open may be locked.
    files: Vec<PathBuf>,
    /// The numbers of its sockets.
    sockets: BTreeSet<String>,
}

impl Traces {
    /// Looks at a process. What Deno itself keeps open in `cache` does not count. `None` where the system does not say.
    pub(super) fn of(process: Pid, cache: &Path) -> Option<Self> {
        let home = home(process);
        let (mut files, mut sockets) = (Vec::new(), BTreeSet::new());
        for entry in fs::read_dir(home.join("fd")).ok()?.flatten() {
            // One that was closed meanwhile is not open.
            let Ok(file) = fs::read_link(entry.path()) else { continue };
            if file.is_absolute() && !file.starts_with(cache) && !file.starts_with("/dev") {
                files.push(file);
            } else if let Some(number) = file.to_str().and_then(|file| file.strip_prefix("socket:[")?.strip_suffix(']'))
            {
                sockets.insert(number.to_owned());
            }
        }
        files.sort();
        Some(Self {
            working_directory: fs::read_link(home.join("cwd")).ok()?,
            mode_mask: member(&text(&home.join("status"))?, "Umask:")?,
            files,
            sockets,
        })
    }

    /// What is here, after calls, that was not there before them.
    pub(super) fn left_since(&self, before: &Self, process: Pid) -> Option<&'static str> {
        if self.working_directory != before.working_directory {
            return Some("another working directory");
        }
        if self.mode_mask != before.mode_mask {
            return Some("another mask of file modes");
        }
        if self.files != before.files {
            return Some("other open files");
        }
        // The tables take the kernel milliseconds.
        let mut new = self.sockets.difference(&before.sockets).peekable();
        let listens = new.peek().is_some() && is_any_listening(process, &new.collect());
        listens.then_some("a socket that waits for connections")
    }
}

fn home(process: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", process.as_raw_nonzero()))
}

/// True if any of these sockets waits for connections. There are no tables of a protocol that the kernel lacks.
fn is_any_listening(process: Pid, sockets: &BTreeSet<&String>) -> bool {
    // The column of the state, what stands there, and the column of the number.
    let tables = [("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)];
    tables.into_iter().any(|(table, state, listens, number)| {
        let table = text(&home(process).join("net").join(table)).unwrap_or_default();
        table.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_ours = |number: &&str| sockets.iter().any(|socket| socket == number);
            words.get(state) == Some(&listens) && words.get(number).is_some_and(is_ours)
        })
    })
}

fn text(file: &Path) -> Option<String> {
    // Names of programs and directories may be any bytes.
    Some(String::from_utf8_lossy(&read::bytes(file, Within::Anywhere, FileKind::State).ok()?).into_owned())
}

fn member(status: &str, key: &str) -> Option<String> {
    Some(status.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned())
}

/// How many processes of the group that this one leads are running besides it: a look at all processes of the machine.
/// `None` where the system does not say.
pub(super) fn companions(leader: Pid) -> Option<usize> {
    let group = leader.as_raw_nonzero().get();
    let mut count = 0;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if number == group {
            continue;
        }
        // One that has ended meanwhile is not running.
        let Some(stat) = text(&entry.path().join("stat")) else { continue };
        // The name of the program, in brackets, may hold anything; state, parent and group follow the last bracket.
        let mut words = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
        let (state, of) = (words.next(), words.nth(1).and_then(|of| of.parse::<i32>().ok()));
        if of == Some(group) && state != Some("Z") {
            count += 1;
        }
    }
    Some(count)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use super::*;

    fn traces_of(script: &str, directory: &Path) -> (std::process::Child, Pid) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(directory).process_group(0);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        (child, process)
    }

    /// Looks until the script has come so far.
    fn until(is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not come so far");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_a_process_changed_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("below/cache")).unwrap();
        let script = "umask 027; cd below; exec 7> kept; exec 8> cache/own; sleep 60 & read line";
        let (mut child, process) = traces_of(script, &root);
        until(|| companions(process) == Some(1));
        let found = Traces::of(process, &root.join("below/cache")).unwrap();
        assert_eq!(found.working_directory, root.join("below"));
        // Whoever started this test may have left files open to it.
        let files: Vec<&PathBuf> = found.files.iter().filter(|file| file.starts_with(&root)).collect();
        assert_eq!((found.mode_mask.as_str(), files), ("0027", vec![&root.join("below/kept")]));
        assert_eq!(found.left_since(&found, process), None);
        rustix::process::kill_process_group(process, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(Traces::of(process, &root).is_none());
    }
}
