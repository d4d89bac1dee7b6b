//! Looking at thousands of remembered paths.

use std::{os::fd::OwnedFd, thread};

use mangrove_fs::stamp::Seen;

use crate::{root::Root, stat_cache::Stamp};

/// From so many paths below one directory on, they are looked at from there: opening it costs as much as walking to some of
/// them.
const SHARED_FROM: usize = 32;

/// Looks at every path, on two threads; the answers are in their order.
pub(super) fn look_at(paths: &[(&Root, &Stamp)]) -> Vec<Seen> {
    let (left, right) = paths.split_at(paths.len() / 2);
    thread::scope(|scope| {
        let other = scope.spawn(|| look_in_turn(right));
        let mut seen = look_in_turn(left);
        seen.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        seen
    })
}

/// A directory below a root that is open, so that nobody walks to it again.
struct Base<'a> {
    root: &'a Root,
    /// With a slash at its end.
    prefix: &'a str,
    handle: OwnedFd,
}

fn look_in_turn(paths: &[(&Root, &Stamp)]) -> Vec<Seen> {
    let mut base: Option<Base<'_>> = None;
    let mut seen = Vec::with_capacity(paths.len());
    for (index, (root, stamp)) in paths.iter().enumerate() {
        if base.as_ref().is_none_or(|base| base.below(root, &stamp.path).is_none()) {
            base = Base::shared_by(&paths[index..]);
        }
        let below = base.as_ref().and_then(|base| Some((base, base.below(root, &stamp.path)?)));
        seen.push(match below {
            Some((base, path)) => Seen::look(&base.handle, path),
            None => Seen::look(&root.handle, &stamp.path),
        });
    }
    seen
}

impl<'a> Base<'a> {
    /// The directory two levels above the first of these paths, if enough of the next ones lie below it too. They are sorted.
    /// Whatever keeps it from being opened is met by looking from the root.
    fn shared_by(paths: &[(&'a Root, &'a Stamp)]) -> Option<Self> {
        let (root, stamp) = paths.first()?;
        let (parent, _) = stamp.path.rsplit_once('/')?;
        let prefix = stamp.path.get(..=parent.rfind('/')?)?;
        let (last_root, last) = paths.get(SHARED_FROM - 1)?;
        if !std::ptr::eq(*root, *last_root) || !last.path.starts_with(prefix) {
            return None;
        }
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&root.handle, prefix, flags, rustix::fs::Mode::empty()).ok()?;
        Some(Self { root, prefix, handle })
    }

    /// A path of a root as it is written from here; `None` if it does not lie below.
    fn below<'p>(&self, root: &Root, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix).filter(|below| !below.is_empty() && std::ptr::eq(self.root, root))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use mangrove_domain::source::{Origin, RootId};

    use super::*;

    #[test]
    fn what_is_seen_from_a_shared_directory_is_what_is_seen_from_the_root() {
        let directories = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
        let mut roots = Vec::new();
        for directory in &directories {
            let at = |path: &str| directory.path().join(path);
            for service in 0..5 {
                fs::create_dir_all(at(&format!("extensions/models/s{service}/_lib"))).expect("made");
                for file in 0..20 {
                    fs::write(at(&format!("extensions/models/s{service}/{file}.ts")), vec![b'x'; file])
                        .expect("written");
                }
            }
            fs::create_dir_all(at("elsewhere/deep")).expect("made");
            fs::write(at("elsewhere/deep/1.ts"), "x").expect("written");
            symlink("../elsewhere", at("extensions/linked")).expect("linked");
            symlink("nowhere", at("extensions/dangling")).expect("linked");
            fs::write(at("extensions/file"), "x").expect("written");
            let real = directory.path().canonicalize().expect("a directory");
            roots.push(Root::open(RootId::local(), Origin::Local, real).expect("opened"));
        }
        let mut paths: Vec<String> = vec![String::new(), "mangrove.yaml".to_owned(), "extensions".to_owned()];
        for service in 0..6 {
            let file = |file| format!("extensions/models/s{service}/{file}");
            paths.extend(["_lib", "_lib/shared.ts"].map(file));
            paths.extend((0..25).map(|number| format!("extensions/models/s{service}/{number}.ts")));
        }
        for below in ["linked/deep", "dangling/deep", "file/deep", "absent/deep", "models/s0/1.ts"] {
            paths.extend((0..40).map(|number| format!("extensions/{below}/{number}.ts")));
        }
        paths.sort();
        let stamp = |path: &String| Stamp { path: path.clone(), seen: Seen::Failed(0), is_racy: false };
        let stamps: Vec<Stamp> = paths.iter().map(stamp).collect();
        let looks: Vec<(&Root, &Stamp)> =
            roots.iter().flat_map(|root| stamps.iter().map(move |stamp| (root, stamp))).collect();
        let seen = look_at(&looks);
        assert_eq!(seen.len(), looks.len());
        for ((root, stamp), seen) in looks.iter().zip(seen) {
            assert_eq!(seen, Seen::look(&root.handle, &stamp.path), "{}", stamp.path);
        }
        let shared = Base::shared_by(&looks[looks.len() - 40..]);
        assert!(shared.is_some(), "some are looked at from a shared directory");
    }
}
