//! What functions of Deno and Node ask for, and hosts in addresses.

use super::Known;

/// Facts about the machine, by the functions that tell them in Deno and Node.
pub(super) const SYSTEM: [&str; 11] = [
    "hostname",
    "osRelease",
    "osUptime",
    "loadavg",
    "networkInterfaces",
    "systemMemoryInfo",
    "uid",
    "gid",
    "cpus",
    "homedir",
    "userInfo",
];

/// Which arguments of a function are paths that it reads, and which it writes. `Sync` is taken off its name.
pub(super) fn of_files(function: &str) -> (&'static [usize], &'static [usize]) {
    match function {
        "readTextFile" | "readFile" | "readDir" | "readdir" | "stat" | "lstat" | "realPath" | "realpath"
        | "readLink" | "readlink" | "watchFs" | "open" | "access" | "exists" | "opendir" | "createReadStream" => {
            (&[0], &[])
        }
        "writeTextFile" | "writeFile" | "appendFile" | "mkdir" | "remove" | "rm" | "rmdir" | "unlink" | "create"
        | "chmod" | "chown" | "truncate" | "makeTempDir" | "makeTempFile" | "mkdtemp" | "utime" | "utimes"
        | "createWriteStream" => (&[], &[0]),
        "rename" => (&[0], &[0, 1]),
        "copyFile" | "cp" | "symlink" | "link" => (&[0], &[1]),
        _ => (&[], &[]),
    }
}

/// The host of an address with its port; `None` if the text does not say where the host ends.
pub(super) fn host(address: &Known) -> Option<String> {
    let (text, is_whole) = match address {
        Known::Whole(text) => (text, true),
        Known::Begins(text) => (text, false),
        Known::Nothing => return None,
    };
    let (scheme, rest) = text.split_once("://")?;
    let default_port = match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => return None,
    };
    let authority = match rest.find(['/', '?', '#']) {
        Some(end) => &rest[..end],
        None if is_whole => rest,
        None => return None,
    };
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if authority.is_empty() {
        return None;
    }
    match authority.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(authority.to_owned())
        }
        _ => Some(format!("{authority}:{default_port}")),
    }
}
