//! Reading objects of the store as a whole: a look at existence and size does not see flipped bits.

use std::{collections::BTreeSet, sync::Arc};

use futures::{Stream, StreamExt as _, stream};
use mangrove_domain::{
    bundle::{Presence, StoredObject},
    ports::{BundleStore, StoreError},
};

/// How many are read at once: each may be a request.
const PARALLEL_READS: usize = 16;

/// What the store says of every byte of these objects, in their order.
pub(crate) fn verified(
    store: Arc<dyn BundleStore>,
    objects: BTreeSet<StoredObject>,
) -> impl Stream<Item = (StoredObject, Result<Presence, StoreError>)> {
    let reads = objects.into_iter().map(move |object| {
        let store = Arc::clone(&store);
        async move { (object, store.verify(&object).await) }
    });
    stream::iter(reads).buffered(PARALLEL_READS)
}
