//! What lies in the directory of one extension.

use std::{io, path::Path};

use mangrove_domain::{
    digest::Digest, failure::Fault, ports::PulledFiles, problem::Code, pulled::MANIFEST, source::RelativePath,
};

use crate::{
    directory::Directory,
    faults::{Operation, io_fault},
    read::{self, FileKind, Within},
    walk::{Bounds, Budget},
};

/// Reads everything in the directory `root` of the repository but what lies in these directories below it; `None` if it is
/// not there.
pub(super) fn find(repository: &Path, root: &Path, nested: &[String]) -> Result<Option<PulledFiles>, Fault> {
    match Directory::open(repository, root) {
        Ok(directory) => {
            let mut walk = Walk { nested, found: PulledFiles::default(), budget: Budget::new(Bounds::default()) };
            walk.budget.resume();
            walk.enter(&directory, "")?;
            Ok(Some(walk.found))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(io_fault(Operation::List, root, &error)),
    }
}

struct Walk<'a> {
    nested: &'a [String],
    found: PulledFiles,
    budget: Budget,
}

impl Walk<'_> {
    fn enter(&mut self, directory: &Directory, below: &str) -> Result<(), Fault> {
        let place = directory.path();
        self.budget.take().map_err(|cut| {
            let message = format!("{} is not looked into: {cut}", place.display());
            Fault::environment(Code::WALK_CUT, "pulled", message)
        })?;
        for name in directory.names().map_err(|error| io_fault(Operation::List, place, &error))? {
            let path = place.join(&name);
            let text = name.to_str().ok_or_else(|| not_utf8(&path))?;
            let below = if below.is_empty() { text.to_owned() } else { format!("{below}/{text}") };
            if self.nested.contains(&below) {
                continue;
            }
            let entry = directory.look(&name).map_err(|error| io_fault(Operation::Stat, &path, &error))?;
            if entry.is_directory {
                let inside = directory.directory(&name).map_err(|error| io_fault(Operation::List, &path, &error))?;
                self.enter(&inside, &below)?;
                continue;
            }
            let relative = RelativePath::parse(&below).map_err(|_| not_utf8(&path))?;
            if entry.is_file {
                let bytes = read::bytes(&path, Within::Unlinked, FileKind::Bundle);
                let bytes = bytes.map_err(read::ReadError::into_fault)?;
                self.found.files.insert(relative, Digest::of(&bytes));
                if below == MANIFEST {
                    self.found.manifest = String::from_utf8(bytes).ok();
                }
            } else {
                self.found.others.insert(relative);
            }
        }
        Ok(())
    }
}

fn not_utf8(path: &Path) -> Fault {
    let message = format!("{} has a name that is not UTF-8", path.display());
    Fault::environment(Code::NAME_NOT_UTF8, "pulled:name", message)
}
