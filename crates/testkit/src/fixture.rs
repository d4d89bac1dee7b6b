//! Repositories as text: `//- /path` headers, each followed by the file's content.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A directory tree written from a fixture text; removed when dropped.
#[derive(Debug)]
pub struct Tree {
    directory: tempfile::TempDir,
}

/// One file of a fixture text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path without the leading slash.
    pub path: String,
    /// What stands below its header, up to the next header.
    pub content: String,
}

/// Splits a fixture text into its files. Lines before the first header are ignored.
///
/// ```
/// let files = mangrove_testkit::fixture::parse("//- /a.ts\nexport {};\n//- /b/c.yaml\nname: x\n");
/// assert_eq!(files[1].path, "b/c.yaml");
/// assert_eq!(files[0].content, "export {};\n");
/// ```
#[must_use]
pub fn parse(text: &str) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(path) = line.trim_start().strip_prefix("//- /") {
            files.push(File { path: path.trim_end().to_owned(), content: String::new() });
        } else if let Some(file) = files.last_mut() {
            file.content.push_str(line);
        }
    }
    files
}

impl Tree {
    /// Writes the files of a fixture text into a new temporary directory.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn new(text: &str) -> io::Result<Self> {
        let tree = Self { directory: tempfile::tempdir()? };
        tree.extend(text)?;
        Ok(tree)
    }

    /// Writes further files, over existing ones.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn extend(&self, text: &str) -> io::Result<()> {
        parse(text).iter().try_for_each(|file| self.write(&file.path, &file.content))
    }

    /// The top directory, without symbolic links in its path.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap_or_else(|_| self.directory.path().to_owned())
    }

    /// The absolute path of a file below the top.
    #[must_use]
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root().join(relative)
    }

    /// Writes one file in place, with the directories above it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)
    }

    /// Reads one file.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn read(&self, relative: &str) -> io::Result<String> {
        fs::read_to_string(self.path(relative))
    }

    /// Removes a file or a directory with everything in it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove(&self, relative: &str) -> io::Result<()> {
        let path = self.path(relative);
        if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }
}
