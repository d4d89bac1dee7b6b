//! The command line of Mangrove: a library around the binary `mangrove`.

pub mod explain;
pub mod init;
