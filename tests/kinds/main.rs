//! Every kind × everything that can happen to a source × cold and warm, through the real adapters and the workers of
//! the real program. No kind and no origin has rules of its own: all kinds give the same line or the test fails.
//!
//! The tables list what is not as it was before: `own.ts`, `mounted.ts` and `pulled.ts` of the kind, each `Indexed`
//! with a type of its name. `cold:` says what a start without a catalog makes of the same files, where that is
//! something else; rows without history must not differ.

mod add_ons;
mod cells;
mod failures;
mod life;
mod places;
mod rules;
mod shadows;
mod world;
