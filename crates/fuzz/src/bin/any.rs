//! One target for libFuzzer; `MANGROVE_FUZZ_TARGET` names it.

#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<mangrove_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("MANGROVE_FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = mangrove_fuzz::TARGETS.iter().map(|target| target.name).collect();
    let target = mangrove_fuzz::TARGETS.iter().find(|target| target.name == name);
    target.copied().unwrap_or_else(|| panic!("set MANGROVE_FUZZ_TARGET to one of {}", names.join(", ")))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.read)(bytes));
