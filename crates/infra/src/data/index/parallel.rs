//! Work on many things at once.

use std::num::NonZero;

/// Below this many things, one thread does all of them.
const ONE_THREAD_UP_TO: usize = 64;

/// What `work` makes of each, in their order, on as many threads as there are processors, at most four.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // The system reads files to say how many processors there are: it is asked only where that matters.
    let threads = if items.len() <= ONE_THREAD_UP_TO {
        1
    } else {
        std::thread::available_parallelism().map_or(1, NonZero::get).min(4)
    };
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(threads));
        let running: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>())).collect();
        let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|made| made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn the_order_stays() {
        for length in [0, 1, 64, 65, 1_001] {
            let items: Vec<usize> = (0..length).collect();
            assert_eq!(map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
