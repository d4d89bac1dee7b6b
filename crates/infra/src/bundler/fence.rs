//! The fence around what a bundle may be made of: the files of one directory and nothing else of this machine.
//!
//! A package that is merely imported chooses its own specifiers, and a bundler follows them: `main`, `require`, a
//! re-export or an import of text can all name a file of the host. What is read becomes part of a bundle, and so
//! of what the code sees when it runs without any permission. So each path is judged as the file that it really is.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// The directory whose files may be read.
#[derive(Clone, Debug)]
pub(super) struct Fence {
    /// Canonical.
    directory: PathBuf,
}

impl Fence {
    /// A fence around everything below `directory`.
    ///
    /// # Errors
    /// If the directory is not there or cannot be opened.
    pub(super) fn around(directory: &Path) -> io::Result<Self> {
        Ok(Self { directory: directory.canonicalize()? })
    }

    /// The directory, canonical.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// True if what a module of this id is read from lies inside. An id is an absolute path; what stands behind `?` or
    /// `#` may be part of the file's name or not, so both readings must be inside.
    pub(super) fn admits(&self, id: &str) -> bool {
        // In the directory's own name they always are part of the name.
        let below = self.directory.to_str().and_then(|directory| Some((directory, id.strip_prefix(directory)?)));
        let (directory, rest) = below.unwrap_or(("", id));
        let without = |separator| rest.split_once(separator).map_or(rest, |(path, _)| path);
        [rest, without('?'), without('#')]
            .into_iter()
            .all(|rest| self.is_inside(Path::new(&format!("{directory}{rest}"))))
    }

    /// True if this path is absolute and names something inside once every link is followed. What does not exist is
    /// judged by its name alone.
    pub(super) fn is_inside(&self, path: &Path) -> bool {
        let real = path.canonicalize().unwrap_or_else(|_| normalized(path));
        path.is_absolute() && real.starts_with(&self.directory)
    }
}

/// True for a specifier that names a place on a machine instead of a module: an absolute path of any system, or an
/// address with the scheme `file:`. No package can know where it will lie, so none has a use for it.
pub(super) fn names_a_place(specifier: &str) -> bool {
    let bytes = specifier.as_bytes();
    let has_drive = bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && {
        bytes.get(2).is_none_or(|next| matches!(next, b'/' | b'\\'))
    };
    let is_file = bytes.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"file:"));
    specifier.starts_with(['/', '\\']) || has_drive || is_file
}

/// A path without `.` and `..`.
pub(super) fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_from_modules() {
        for place in ["/etc/passwd", "//host/x", "\\\\host\\x", "C:\\x", "c:/x", "file:///x", "FILE:/x", "file:x"] {
            assert!(names_a_place(place), "{place}");
        }
        for module in
            ["./a", "../a", "a/b", "@a/b", "#a", "node:fs", "npm:a", "https://a/b", "data:text/plain,x", "a:b"]
        {
            assert!(!names_a_place(module), "{module}");
        }
    }

    #[test]
    fn paths_are_judged_as_what_they_really_are() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, outside) = (directory.path().join("inside"), directory.path().join("outside"));
        for (path, text) in [(inside.join("a"), "a"), (outside.join("b"), "b")] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        std::os::unix::fs::symlink("a", inside.join("other")).unwrap();
        let fence = Fence::around(&inside).unwrap();
        let admits = |path: &str| fence.admits(&inside.join(path).display().to_string());
        for path in ["a", "a?raw", "other", "absent", "absent/../a", "a#b"] {
            assert!(admits(path), "{path}");
        }
        for path in
            ["../outside/b", "link/b", "link/b?raw", "link/b#c", "../absent", "absent/../../outside/b", "../inside-too"]
        {
            assert!(!admits(path), "{path}");
        }
        let odd = directory.path().join("c#1?x");
        std::fs::create_dir_all(&odd).unwrap();
        let odd_fence = Fence::around(&odd).unwrap();
        let odd = odd_fence.directory().display().to_string();
        assert!(odd_fence.admits(&format!("{odd}/a?raw")) && !odd_fence.admits(&format!("{odd}/../outside/b")));
        assert!(!fence.admits("a"), "what a relative path means depends on who reads it");
    }
}
