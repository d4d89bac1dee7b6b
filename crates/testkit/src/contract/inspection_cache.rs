//! What every [`InspectionCache`] must do.

use mangrove_domain::{digest::Digest, ports::InspectionCache};

/// The contract of [`InspectionCache`]. `make` gives an empty one.
///
/// # Panics
/// If the implementation breaks the contract.
pub async fn inspection_cache<C: InspectionCache>(make: impl AsyncFn() -> C) {
    let cache = make().await;
    let key = Digest::of(b"bundle and inspector");
    assert_eq!(cache.cached_inspection(key).await.expect("nothing"), None);
    cache.cache_inspection(key, &[0, 159, 255]).await.expect("remembered");
    assert_eq!(cache.cached_inspection(key).await.expect("one"), Some(vec![0, 159, 255]));
    cache.cache_inspection(key, b"again").await.expect("remembered");
    assert_eq!(cache.cached_inspection(key).await.expect("one"), Some(b"again".to_vec()));
    assert_eq!(cache.cached_inspection(Digest::of(b"another")).await.expect("nothing"), None);
}
