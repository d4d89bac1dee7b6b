//! The locks. `explore/single-flight` compiles the rest of this crate with others in their place, so that a scheduler can
//! draw who gets them first (design/drills.md).

pub(crate) use std::sync::{Mutex, MutexGuard};
