//! What every adapter needs of the file system: faults of the operating system, atomic writes, work off the async
//! threads, stamps that tell whether a file was written, the repository's own files, and JSON text.

pub mod atomic;
mod blocking;
pub mod faults;
pub mod files;
pub mod json_text;
pub mod staging;
pub mod stamp;
mod touch;

pub use blocking::{Unfinished, blocking};
pub use touch::touch;
