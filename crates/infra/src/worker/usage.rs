//! What this process uses of its machine, with its pools of workers.

use std::fs;

use mangrove_domain::ports::{PoolUsage, ProcessUsage, Usage};
use rustix::process::{Resource, getrlimit};

use super::{guarded::resident_bytes, pool::Pool};

/// This process with its pools.
#[derive(Clone, Debug)]
pub struct MeasuredProcess {
    /// Parses, bundles and inspects.
    pub builders: Pool,
    /// Calls methods.
    pub callers: Pool,
}

impl ProcessUsage for MeasuredProcess {
    fn measure(&self) -> Usage {
        let pool = |name, pool: &Pool, (places, busy): (usize, usize)| PoolUsage {
            name,
            places: places as u64,
            busy: busy as u64,
            idle: pool.idle_workers() as u64,
        };
        Usage {
            resident_bytes: resident_bytes(std::process::id()),
            // The directory is one of them while it is read.
            open_descriptors: fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1)),
            descriptor_limit: getrlimit(Resource::Nofile).current,
            pools: vec![
                pool("build", &self.builders, self.builders.jobs()),
                pool("call", &self.callers, self.callers.sessions()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::PoolOptions;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_says_what_it_uses() {
        let pool = |size| Pool::new(PoolOptions { size, ..PoolOptions::new("/bin/true".into(), Vec::new()) });
        let process = MeasuredProcess { builders: pool(3), callers: pool(16) };
        let before = process.measure();
        let _files: Vec<_> = (0..64).map(|_| tempfile::tempfile().expect("a file")).collect();
        let after = process.measure();
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{before:?}");
        // Other tests of this process open and close files as well.
        assert!(after.open_descriptors > before.open_descriptors.map(|files| files + 32), "{before:?} {after:?}");
        assert!(after.open_descriptors < after.descriptor_limit, "{after:?}");
        let pools: Vec<_> = after.pools.iter().map(|pool| (pool.name, pool.places, pool.busy, pool.idle)).collect();
        assert_eq!(pools, [("build", 3, 0, 0), ("call", 16, 0, 0)]);
    }
}
