//! Single flight: requests for one thing at one time share one attempt.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use mangrove_single_flight::SingleFlight;
//!
//! let flight: SingleFlight<&str, u32> = SingleFlight::new();
//! let answer = flight.join("answer", || async { 42 }).await;
//! assert_eq!(answer, Ok(42));
//! # }
//! ```
//!
//! What holds, whatever happens (fault 55):
//!
//! - An attempt runs in a task of its own and on to its end, even if all who asked for it went away.
//! - It is forgotten before anybody gets its outcome: nobody who asks later gets an old one, whether it was awaited or
//!   not. An outcome, good or bad, is never remembered.
//! - A panic costs this one attempt. Those who waited for it get [`Lost`], and the next one who asks starts again.
//! - Nothing grows with the keys that were asked for: there is an entry for each attempt under way, and for nothing
//!   else.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod flight;
mod sync;

pub use flight::{Lost, SingleFlight};
