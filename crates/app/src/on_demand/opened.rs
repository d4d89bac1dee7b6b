//! Types that were opened only just now. Of the steps of a run, which follow each other fast, one reads and compares the code.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use mangrove_domain::{index::TypeIndex, source::Kind, type_name::TypeName};

use crate::types::ReadyType;

/// So many are kept at most: each holds its code.
const MOST_KEPT: usize = 8;

/// What was opened, the latest last.
#[derive(Debug, Default)]
pub(super) struct OpenedTypes(Arc<Mutex<Vec<Opened>>>);

#[derive(Debug)]
struct Opened {
    kind: Kind,
    type_name: TypeName,
    /// The snapshot that it was opened from. While that is the current one, its rows are those of the type.
    index: Weak<TypeIndex>,
    ready: ReadyType,
}

impl OpenedTypes {
    /// The type as it was opened, if that was from this snapshot.
    pub(super) fn get(&self, kind: &Kind, type_name: &TypeName, index: &Arc<TypeIndex>) -> Option<ReadyType> {
        let is_it = |opened: &&Opened| (&opened.kind, &opened.type_name) == (kind, type_name);
        let all = lock(&self.0);
        let opened = all.iter().find(is_it)?;
        (opened.index.as_ptr() == Arc::as_ptr(index)).then(|| opened.ready.clone())
    }

    /// Keeps a type that was opened from this snapshot, for so long.
    pub(super) fn keep(
        &self,
        (kind, type_name): (&Kind, &TypeName),
        index: &Arc<TypeIndex>,
        ready: &ReadyType,
        time: Duration,
    ) {
        let index = Arc::downgrade(index);
        let opened = Opened { kind: kind.clone(), type_name: type_name.clone(), index, ready: ready.clone() };
        let mut all = lock(&self.0);
        all.retain(|known| (&known.kind, &known.type_name) != (kind, type_name));
        let surplus = (all.len() + 1).saturating_sub(MOST_KEPT);
        all.drain(..surplus);
        all.push(opened);
        drop(all);
        let (kept, key) = (Arc::downgrade(&self.0), (kind.clone(), type_name.clone()));
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let Some(kept) = kept.upgrade() else { return };
            lock(&kept).retain(|known| (&known.kind, &known.type_name) != (&key.0, &key.1));
        });
    }
}

fn lock(opened: &Mutex<Vec<Opened>>) -> MutexGuard<'_, Vec<Opened>> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}
