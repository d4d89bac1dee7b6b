//! What files are called while they are bundled.

/// The made-up directory in which the bundler sees the files. Nothing of it gets into the output.
pub(super) const ROOT: &str = "/repository";

/// The made-up directory above those of the vendor files that go into a bundle.
pub(super) const VENDOR: &str = "/vendor";

/// Stands between the id of a file and the query and fragment with which it is imported: each makes a module of its own.
pub(super) const ADDRESS: &str = "?address=";

/// The id of a file of the repository.
pub(super) fn id(path: &str) -> String {
    format!("{ROOT}/{path}")
}
