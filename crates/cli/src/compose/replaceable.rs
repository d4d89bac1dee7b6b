//! An adapter that another one can take the place of while it is in use.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::{Failure, Fault},
    outage::Outages,
    package::PackageRequest,
    ports::{AttemptCache, BuildFailure, BundleRequest, Bundler, MethodRunner, OpenRequest, RunError, Session},
    route::Route,
};

/// Passes everything on to whatever is in place when it is asked; what goes on already is not disturbed.
pub(super) struct Replaceable<T: ?Sized>(RwLock<Arc<T>>);

impl<T: ?Sized> Replaceable<T> {
    pub(super) const fn new(first: Arc<T>) -> Self {
        Self(RwLock::new(first))
    }

    pub(super) fn replace(&self, next: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Bundler for Replaceable<dyn Bundler> {
    async fn route(&self, request: &PackageRequest) -> Route {
        self.current().route(request).await
    }

    async fn fails_again(&self, request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        self.current().fails_again(request, earlier).await
    }

    fn remembering_in(&self, cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn Bundler>> {
        self.current().remembering_in(cache)
    }

    async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        self.current().bundle(request, outages).await
    }
}

#[async_trait]
impl MethodRunner for Replaceable<dyn MethodRunner> {
    async fn open(&self, request: OpenRequest) -> Result<Box<dyn Session>, RunError> {
        self.current().open(request).await
    }
}
