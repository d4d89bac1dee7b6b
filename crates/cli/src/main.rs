//! The binary `mangrove`.

fn main() {}
