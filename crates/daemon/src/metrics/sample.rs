//! What goes up and down, and is looked at when somebody asks.

use std::{collections::BTreeMap, sync::Arc};

use mangrove_domain::{
    failure::FailureClass,
    index::TypeIndex,
    ports::Usage,
    run::{RunRecord, RunStatus},
    source::Kind,
    state::StateName,
    time::Timestamp,
};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use super::instruments::{Gauges, clamped, gauge, gauges};
use crate::queue_load::QueueLoad;

/// A daemon at one moment.
#[derive(Debug)]
pub struct Sample<'a> {
    /// Now.
    pub now: Timestamp,
    /// When the daemon was started.
    pub started_at: Timestamp,
    /// True if it can do its work.
    pub is_ready: bool,
    /// All rows.
    pub index: &'a TypeIndex,
    /// The kinds that rows can have.
    pub kinds: &'a [Kind],
    /// The runs that have not ended.
    pub runs: &'a [Arc<RunRecord>],
    /// The runs of schedules and of webhooks, by the word for what starts them.
    pub queues: &'a [(&'static str, QueueLoad)],
    /// How many sources are being built or inspected.
    pub in_progress: u64,
    /// How many directories are not watched for changes, although they should be.
    pub unwatched: u64,
    /// How many streams of events are open.
    pub streams: u64,
    /// What the process uses of the machine.
    pub usage: Usage,
}

#[derive(Debug)]
pub(super) struct SampledGauges {
    ready: Gauge,
    rows: Gauges<2>,
    degraded: Gauges<1>,
    shadowed: Gauges<1>,
    failing: Gauges<1>,
    retries_waiting: Gauge,
    retries_due: Gauge,
    in_progress: Gauge,
    unwatched: Gauge,
    active_runs: Gauge,
    running_steps: Gauge,
    queue_running: Gauges<1>,
    queue_limit: Gauges<1>,
    queue_waiting: Gauges<1>,
    streams: Gauge,
    pool_places: Gauges<1>,
    pool_busy: Gauges<1>,
    pool_idle: Gauges<1>,
    started_at: Gauge,
    resident: Gauge,
    descriptors: Gauge,
    descriptor_limit: Gauge,
}

impl SampledGauges {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let one = |registry: &mut Registry, name, help| gauge(registry, name, help);
        Self {
            ready: one(registry, "mangrove_ready", "1 if the daemon can do its work, as /readyz says it, else 0"),
            rows: gauges(registry, "mangrove_rows", "Rows of the catalog, by kind and state"),
            degraded: gauges(registry, "mangrove_degraded_rows", "Rows that run on their last good bundle, by kind"),
            shadowed: gauges(registry, "mangrove_shadowed_rows", "Rows whose type another row resolves, by kind"),
            failing: gauges(registry, "mangrove_failing_rows", "Rows that carry a failure, by its class"),
            retries_waiting: one(registry, "mangrove_retries_waiting", "Failed rows whose next try has its time"),
            retries_due: one(registry, "mangrove_retries_due", "Failed rows whose time for the next try has come"),
            in_progress: one(registry, "mangrove_sources_in_progress", "Sources that are being built or inspected"),
            unwatched: one(
                registry,
                "mangrove_unwatched_directories",
                "Directories whose changes are noticed by the next look only",
            ),
            active_runs: one(registry, "mangrove_active_runs", "Runs of this process that have not ended"),
            running_steps: one(registry, "mangrove_running_steps", "Steps that go on in this process"),
            queue_running: gauges(registry, "mangrove_queue_running", "Runs that go on, by what started them"),
            queue_limit: gauges(registry, "mangrove_queue_limit", "Runs that may go on at once, by what starts them"),
            queue_waiting: gauges(registry, "mangrove_queue_waiting", "Runs that wait, by what starts them"),
            streams: one(registry, "mangrove_open_streams", "Streams of events that are open"),
            pool_places: gauges(registry, "mangrove_worker_places", "Work that workers do at once at most, by pool"),
            pool_busy: gauges(registry, "mangrove_worker_busy", "Work that workers do now, by pool"),
            pool_idle: gauges(registry, "mangrove_worker_idle", "Worker processes without work, by pool"),
            started_at: one(registry, "process_start_time_seconds", "When the daemon was started, as Unix time"),
            resident: one(registry, "process_resident_memory_bytes", "Memory of the daemon, without its workers"),
            descriptors: one(registry, "process_open_fds", "Open files, sockets and pipes of the daemon"),
            descriptor_limit: one(registry, "process_max_fds", "How many of them it may have open; 0 without a limit"),
        }
    }

    pub(super) fn set(&self, sample: &Sample<'_>) {
        self.ready.set(i64::from(sample.is_ready));
        self.set_rows(sample);
        self.in_progress.set(clamped(sample.in_progress));
        self.unwatched.set(clamped(sample.unwatched));
        self.active_runs.set(clamped(sample.runs.len() as u64));
        let steps = sample.runs.iter().flat_map(|run| &run.jobs).flat_map(|job| &job.steps);
        let running = steps.filter(|step| step.status == RunStatus::Running).count();
        self.running_steps.set(clamped(running as u64));
        for (trigger, QueueLoad { running, limit, waiting }) in sample.queues {
            let label = [("trigger", (*trigger).into())];
            self.queue_running.get_or_create(&label).set(clamped(*running));
            self.queue_limit.get_or_create(&label).set(clamped(*limit));
            self.queue_waiting.get_or_create(&label).set(clamped(*waiting));
        }
        self.streams.set(clamped(sample.streams));
        self.set_usage(sample);
    }

    fn set_rows(&self, sample: &Sample<'_>) {
        let mut states: BTreeMap<(&Kind, StateName), u64> = BTreeMap::new();
        let mut degraded: BTreeMap<&Kind, u64> = BTreeMap::new();
        let mut shadowed: BTreeMap<&Kind, u64> = BTreeMap::new();
        let mut failing: BTreeMap<FailureClass, u64> = BTreeMap::new();
        let (mut waiting, mut due) = (0, 0);
        for row in sample.index.rows() {
            *states.entry((&row.kind, row.state.name())).or_default() += 1;
            *degraded.entry(&row.kind).or_default() += u64::from(row.degraded.is_some());
            *shadowed.entry(&row.kind).or_default() += u64::from(row.shadowed_by.is_some());
            if let Some(failure) = row.failure() {
                *failing.entry(failure.class).or_default() += 1;
                let is_due = failure.is_due(sample.now);
                due += u64::from(is_due);
                waiting += u64::from(!is_due && failure.next_retry.is_some());
            }
        }
        for kind in sample.kinds {
            let label = || ("kind", kind.to_string().into());
            for state in StateName::ALL {
                let count = states.get(&(kind, state)).copied().unwrap_or_default();
                self.rows.get_or_create(&[label(), ("state", state.as_str().into())]).set(clamped(count));
            }
            let of_kind = |counts: &BTreeMap<&Kind, u64>| clamped(counts.get(kind).copied().unwrap_or_default());
            self.degraded.get_or_create(&[label()]).set(of_kind(&degraded));
            self.shadowed.get_or_create(&[label()]).set(of_kind(&shadowed));
        }
        for class in FailureClass::ALL {
            let count = failing.get(&class).copied().unwrap_or_default();
            self.failing.get_or_create(&[("class", class.as_str().into())]).set(clamped(count));
        }
        self.retries_waiting.set(clamped(waiting));
        self.retries_due.set(clamped(due));
    }

    fn set_usage(&self, sample: &Sample<'_>) {
        let Usage { resident_bytes, open_descriptors, descriptor_limit, pools } = &sample.usage;
        for pool in pools {
            let label = [("pool", pool.name.into())];
            self.pool_places.get_or_create(&label).set(clamped(pool.places));
            self.pool_busy.get_or_create(&label).set(clamped(pool.busy));
            self.pool_idle.get_or_create(&label).set(clamped(pool.idle));
        }
        self.started_at.set(sample.started_at.as_millis() / 1_000);
        self.resident.set(clamped(resident_bytes.unwrap_or_default()));
        self.descriptors.set(clamped(open_descriptors.unwrap_or_default()));
        self.descriptor_limit.set(clamped(descriptor_limit.unwrap_or_default()));
    }
}
