//! Where an entry point lies and to whom it belongs.

use std::{fmt, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}

name! {
    /// Names a root directory independently of where it lies: `local`, `mount:<path as configured>`, `pulled:<extension>`.
    /// Rows are keyed by it, so that a moved repository keeps its rows (fault 16).
    RootId
}

name! {
    /// A kind of extension: `model`, `vault`, `driver`, `report`, or what a further loader names.
    Kind
}

impl RootId {
    /// The repository itself.
    #[must_use]
    pub fn local() -> Self {
        Self::new("local")
    }

    /// A source mount, by its path as it is configured: relative to the repository, or with the environment
    /// variable that it is written with, so that it does not depend on the absolute place.
    #[must_use]
    pub fn mount(path: &str) -> Self {
        Self::new(format!("mount:{path}"))
    }

    /// A pulled extension, by its name.
    #[must_use]
    pub fn pulled(extension: &str) -> Self {
        Self::new(format!("pulled:{extension}"))
    }

    /// The path of a source mount as it is configured; `None` for every other root.
    #[must_use]
    pub fn mount_path(&self) -> Option<&str> {
        self.0.strip_prefix("mount:")
    }
}

/// The file of a repository that names the directories that are mounted, at its top.
pub const MOUNTS_FILE: &str = ".swamp-sources.yaml";

/// A normalised path below a root: forward slashes, no empty, `.` or `..` segments, not absolute.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(Arc<str>);

/// Why a text is no path below a root.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// The path starts at the file system's root.
    #[error("{0:?} is absolute, expected a path below the root")]
    Absolute(String),
    /// The path climbs out of the root.
    #[error("{0:?} leads outside the root")]
    Outside(String),
    /// Nothing is left of the path.
    #[error("the path is empty")]
    Empty,
}

impl RelativePath {
    /// Normalises `text`: resolves `.` and `..`, collapses slashes.
    ///
    /// # Errors
    /// [`PathError`] if the path is absolute, empty or climbs above its start.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Err(PathError::Absolute(text.to_owned()));
        }
        let mut segments: Vec<&str> = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop().ok_or_else(|| PathError::Outside(text.to_owned()))?;
                }
                name => segments.push(name),
            }
        }
        if segments.is_empty() {
            return Err(PathError::Empty);
        }
        Ok(Self(segments.join("/").into()))
    }

    /// The path as text, with forward slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds this path; `None` if that is the root itself.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// True if this path lies in `directory` or below it; the empty text is the root.
    /// Compares whole segments: `models-old/x` is not inside `models` (fault 6).
    #[must_use]
    pub fn is_inside(&self, directory: &str) -> bool {
        directory.is_empty() || self.0.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for RelativePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, out)
    }
}

/// One source: an entry-point file, by its root and its path below it. The key of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// The root the file lies in.
    pub root: RootId,
    /// Its path below that root.
    pub path: RelativePath,
}

/// `path` for the local root, `root/path` for any other.
impl fmt::Display for SourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.root == RootId::local() {
            write!(out, "{}", self.path)
        } else {
            write!(out, "{}/{}", self.root, self.path)
        }
    }
}

/// Where a root comes from, in order of precedence: the first wins (`design/claims.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The repository's own directories.
    Local,
    /// A source mount of `.swamp-sources.yaml`.
    Mounted,
    /// A pulled extension named by the lockfile.
    Pulled,
}

impl Origin {
    /// Every origin, first in precedence first.
    pub const ALL: [Origin; 3] = [Origin::Local, Origin::Mounted, Origin::Pulled];

    /// `local`, `mounted` or `pulled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Local => "local",
            Origin::Mounted => "mounted",
            Origin::Pulled => "pulled",
        }
    }
}

/// The extension that a source belongs to (I1: exactly one).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extension {
    /// `@collective/name`, `@local/<repository id>` or `@mount/<name>`.
    pub name: Arc<str>,
    /// Its version as its manifest or lockfile says; `0.0.0` where nothing does.
    pub version: Arc<str>,
}
