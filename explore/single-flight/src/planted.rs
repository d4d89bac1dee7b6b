//! Single flight with bugs, made from the source that ships by `build.rs`. An exploration that finds none of them would
//! say nothing by finding none in what ships.

/// An outcome is told first and then forgotten: who has it and asks again gets it again.
pub mod told_before_it_is_forgotten {
    include!(concat!(env!("OUT_DIR"), "/told_before_it_is_forgotten.rs"));
}

/// An attempt is forgotten before it has ended: who asks then begins another one beside it.
pub mod forgotten_before_it_ends {
    include!(concat!(env!("OUT_DIR"), "/forgotten_before_it_ends.rs"));
}

/// An attempt is forgotten once more after its outcome was told: by then the key may be that of the next one.
pub mod forgotten_twice {
    include!(concat!(env!("OUT_DIR"), "/forgotten_twice.rs"));
}

/// Those who wait are not woken: they wait for ever.
pub mod told_without_waking {
    include!(concat!(env!("OUT_DIR"), "/told_without_waking.rs"));
}

/// The lock is free between the look for an attempt and the new one: two who ask begin one each.
pub mod looked_for_and_put_under_two_locks {
    include!(concat!(env!("OUT_DIR"), "/looked_for_and_put_under_two_locks.rs"));
}

/// An attempt has no task of its own: if who began it goes away, the others lose it.
pub mod run_by_who_asks {
    include!(concat!(env!("OUT_DIR"), "/run_by_who_asks.rs"));
}

/// An attempt that panicked is not forgotten.
pub mod panics_are_remembered {
    include!(concat!(env!("OUT_DIR"), "/panics_are_remembered.rs"));
}
