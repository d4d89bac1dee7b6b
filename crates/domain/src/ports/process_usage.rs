//! What a process uses of its machine.

/// Measures what this process and its workers use. Implementations MUST return at once, and MUST NOT fail: what the
/// system does not say is `None`.
pub trait ProcessUsage: Send + Sync {
    /// What is used now.
    fn measure(&self) -> Usage;
}

/// What a process uses at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that it keeps in memory, without its workers.
    pub resident_bytes: Option<u64>,
    /// How many files, sockets and pipes it has open.
    pub open_descriptors: Option<u64>,
    /// How many it may have open; `None` also where there is no limit.
    pub descriptor_limit: Option<u64>,
    /// Its pools of worker processes.
    pub pools: Vec<PoolUsage>,
}

/// How busy one pool of worker processes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// What its workers do, in one word.
    pub name: &'static str,
    /// How much they do at once at most.
    pub places: u64,
    /// How much they do now.
    pub busy: u64,
    /// Workers that wait for something to do.
    pub idle: u64,
}
