//! The state directory: made before anything is written to it, and never trusted for being there.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
    leftovers,
};

/// What its owner may do, and nobody else.
const PRIVATE: u32 = 0o700;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirectoryError {
    /// It cannot be written.
    #[error("the state directory {} cannot be written", directory.display())]
    NotWritable {
        /// The directory, or the link in it that leads nowhere.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link leads out of the state directory, or this out of the repository: what is written would land elsewhere.
    #[error("{} is a link that leads to {}; nothing is written through it", link.display(), target.display())]
    LeadsOut {
        /// Which one.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
}

/// Makes it, for its owner alone, with a `.gitignore` that keeps it out of the repository, and takes away what a process
/// that was killed left at its top. Whoever builds a service that writes calls this before it makes any adapter.
///
/// A repository may have come with one. Nothing is written through a link that it brings: the directory lies in the
/// repository if its path does, and no link at its top leads elsewhere. Directories further below are opened without links
/// by whoever uses them (`mangrove_fs::directory`).
///
/// # Errors
/// [`StateDirectoryError`]
pub fn prepare(repository: &Path, directory: &Path) -> Result<(), StateDirectoryError> {
    let failed = |source| StateDirectoryError::NotWritable { directory: directory.to_owned(), source };
    refuse_link_out(directory, repository, directory.starts_with(repository))?;
    let opened = make(repository, directory).map_err(failed)?;
    for name in opened.names().map_err(failed)? {
        let path = directory.join(name);
        let is_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        refuse_link_out(&path, directory, is_link)?;
    }
    leftovers::remove(&opened);
    Ok(())
}

fn make(repository: &Path, directory: &Path) -> io::Result<Directory> {
    if let Some(parent) = directory.parent() {
        #[expect(clippy::disallowed_methods, reason = "above the state directory, whose place its owner chose")]
        fs::create_dir_all(parent)?;
    }
    #[expect(clippy::disallowed_methods, reason = "whether it is a link was asked before")]
    let outcome = DirBuilder::new().mode(PRIVATE).create(directory);
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {
            // One that earlier versions made is made private too. A place that somebody chose stays as it is.
            let mode = fs::metadata(directory)?.permissions().mode();
            if directory == repository.join(".mangrove") && mode & 0o077 != 0 {
                // Best effort: it may belong to somebody else.
                let _ = fs::set_permissions(directory, Permissions::from_mode(mode & PRIVATE));
            }
        }
        made => made?,
    }
    let opened = Directory::open(directory, directory)?;
    // Also if it is a link: nothing is put in its place.
    if fs::symlink_metadata(directory.join(".gitignore")).is_err() {
        atomic::create(&opened, ".gitignore", b"*\n", Durability::Volatile)?;
    }
    Ok(opened)
}

/// Fails if `path` is not inside `around` once its links are followed; asked only if it `may` be so.
fn refuse_link_out(path: &Path, around: &Path, may: bool) -> Result<(), StateDirectoryError> {
    if !may || fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let real = |path: &Path| {
        let real = path.canonicalize();
        real.map_err(|source| StateDirectoryError::NotWritable { directory: path.to_owned(), source })
    };
    let target = real(path)?;
    if target.starts_with(real(around)?) {
        return Ok(());
    }
    Err(StateDirectoryError::LeadsOut { link: path.to_owned(), target })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a stat").permissions().mode() & 0o777
    }

    #[test]
    fn f23_the_state_directory_is_private() {
        let repository = tempfile::tempdir().expect("a directory");
        let state = repository.path().join(".mangrove");
        prepare(repository.path(), &state).expect("made");
        assert_eq!(mode(&state), 0o700);
        fs::set_permissions(&state, Permissions::from_mode(0o755)).expect("set");
        prepare(repository.path(), &state).expect("there");
        assert_eq!(mode(&state), 0o700, "one of an earlier version");
        let chosen = repository.path().join("below/chosen");
        prepare(repository.path(), &chosen).expect("made");
        assert_eq!(mode(&chosen), 0o700);
        fs::set_permissions(&chosen, Permissions::from_mode(0o770)).expect("set");
        prepare(repository.path(), &chosen).expect("there");
        assert_eq!(mode(&chosen), 0o770, "somebody shares it");
    }

    #[test]
    fn f03_nothing_is_written_through_links_of_the_repository() {
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("diary"), "dear diary").expect("a file");
        for (name, target) in [
            (".mangrove", outside.path().to_owned()),
            (".mangrove", outside.path().join("nothing")),
            (".mangrove/catalog.db", outside.path().join("diary")),
            (".mangrove/catalog.db-lock", outside.path().join("diary")),
            (".mangrove/data", outside.path().to_owned()),
            (".mangrove/runs.db", outside.path().join("nothing")),
            (".mangrove/loop", "loop".into()),
        ] {
            let repository = tempfile::tempdir().expect("a directory");
            let link = repository.path().join(name);
            fs::create_dir_all(link.parent().expect("a parent")).expect("a directory");
            symlink(&target, &link).expect("a link");
            let refused = prepare(repository.path(), &repository.path().join(".mangrove"));
            assert!(refused.is_err(), "{name} -> {}", target.display());
            let left: Vec<_> = fs::read_dir(outside.path()).expect("a list").collect();
            assert_eq!(left.len(), 1, "{name} -> {}", target.display());
        }
        let text = fs::read_to_string(outside.path().join("diary")).expect("a file");
        assert_eq!(text, "dear diary");
    }

    #[test]
    fn a_link_inside_of_the_state_directory_stays() {
        let repository = tempfile::tempdir().expect("a directory");
        let state = repository.path().join(".mangrove");
        prepare(repository.path(), &state).expect("made");
        fs::create_dir(state.join("real")).expect("a directory");
        symlink("real", state.join("data")).expect("a link");
        prepare(repository.path(), &state).expect("nothing leads out");
    }
}
