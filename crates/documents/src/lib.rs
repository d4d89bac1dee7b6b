//! What Mangrove answers as JSON. The command line prints these documents with `--json`, and the daemon sends them as
//! bodies: one type for both, so that they cannot differ.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
