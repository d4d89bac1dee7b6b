//! Looking up types in a published snapshot, in a running process.

use std::{hint::black_box, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use mangrove_domain::{index::TypeIndex, source::Kind, type_name::TypeName};
use mangrove_testkit::rows;

use super::{as_number, report::Line};

const LOOK_UPS: usize = 1_000_000;

/// The mean of a million look-ups.
pub(super) fn measure(types: usize) -> Result<Line> {
    let snapshot = Snapshot::of(types);
    let start = Instant::now();
    snapshot.look_up(LOOK_UPS)?;
    let elapsed = start.elapsed();
    Ok(Line::new("resolve a type", elapsed.as_secs_f64() * 1e9 / as_number(LOOK_UPS), "ns").at_most(1_000.0).after(1))
}

/// An index and the names in it.
pub(super) struct Snapshot {
    index: TypeIndex,
    names: Vec<TypeName>,
}

impl Snapshot {
    pub(super) fn of(types: usize) -> Self {
        let names: Vec<String> =
            (0..types).map(|number| format!("@corpus/s{:03}/thing{number}", number % 658)).collect();
        let row = |(number, name): (usize, &String)| Arc::new(rows::indexed(&format!("models/{number}.ts"), name));
        let index = TypeIndex::build(names.iter().enumerate().map(row));
        Self { index, names: names.iter().map(|name| TypeName::stored(name.as_str())).collect() }
    }

    pub(super) fn look_up(&self, times: usize) -> Result<()> {
        let kind = Kind::new("model");
        let mut found = 0;
        // A stride that shares no factor with the number of types visits all of them, far from each other in memory.
        for look_up in 0..times {
            let name = &self.names[look_up.wrapping_mul(7_919) % self.names.len()];
            found += usize::from(self.index.resolve(black_box(&kind), black_box(name)).is_some());
        }
        ensure!(found == times, "{found} of {times} look-ups found their type");
        Ok(())
    }
}
