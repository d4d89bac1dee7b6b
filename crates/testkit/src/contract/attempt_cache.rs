//! What every [`AttemptCache`] must do.

use mangrove_domain::{digest::Digest, ports::AttemptCache};

/// The contract of [`AttemptCache`]. `make` gives an empty one.
///
/// # Panics
/// If the implementation breaks the contract.
pub async fn attempt_cache<C: AttemptCache>(make: impl AsyncFn() -> C) {
    let cache = make().await;
    let key = Digest::of(b"bundle and inspector");
    assert_eq!(cache.cached(key).await.expect("nothing"), None);
    cache.cache(key, &[0, 159, 255]).await.expect("remembered");
    assert_eq!(cache.cached(key).await.expect("one"), Some(vec![0, 159, 255]));
    cache.cache(key, b"again").await.expect("remembered");
    assert_eq!(cache.cached(key).await.expect("one"), Some(b"again".to_vec()));
    assert_eq!(cache.cached(Digest::of(b"another")).await.expect("nothing"), None);
}
