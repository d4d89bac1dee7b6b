//! What every adapter needs of the file system: faults of the operating system, atomic writes, work off the async
//! threads, stamps that tell whether a file was written, the repository's own files, and JSON text. Files are read by
//! [`read`] and locked by [`lock`], directories are made and emptied by [`directory`], and nowhere else.

pub mod atomic;
mod blocking;
pub mod build_locks;
pub mod checksum;
pub mod definition_files;
pub mod directory;
pub mod faults;
mod file_kind;
pub mod files;
pub mod json_text;
pub mod leftovers;
pub mod lock;
pub mod pulled;
pub mod read;
mod reason;
pub mod staging;
pub mod stamp;
mod touch;
pub mod walk;

pub use blocking::{Unfinished, blocking};
pub use touch::touch;
