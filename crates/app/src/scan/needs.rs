//! What a source needs from outside, and what that is at the moment: the packages and the bundler part of its
//! fingerprint.

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use mangrove_domain::{
    digest::Digest,
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    route::{Resolver, Route},
    shipped::Shipped,
    survey::Survey,
};

use super::ports::Ports;

/// What one source needs from outside.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    pub(super) packages: PackageRequest,
    /// Who resolves the packages, as the bundler said when the source was looked at.
    pub(super) resolver: Resolver,
    /// What its extension ships, should nothing say which packages these are.
    pub(super) shipped: Option<Shipped>,
}

impl Needs {
    /// What a seal says of it.
    pub(super) fn outside(&self) -> (PackageRequest, Option<Shipped>) {
        (self.packages.clone(), self.shipped.clone())
    }

    /// The packages part of the fingerprint: `resolved` is that of the packages, and what is shipped belongs to it.
    pub(super) fn packages_part(&self, resolved: Part) -> Part {
        match &self.shipped {
            Some(shipped) => shipped.added_to(&resolved),
            None => resolved,
        }
    }

    /// The packages, ready to be bundled.
    pub(super) async fn prepare(&self, ports: &Ports, outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        prepare_by(&self.resolver, ports, &self.packages, outages).await
    }
}

/// What the packages of all readable entries are at the moment, each set once, on top of those that are known.
pub(super) async fn resolve(
    ports: &Ports,
    survey: &Survey,
    mut resolved: BTreeMap<PackageRequest, Resolved>,
) -> BTreeMap<PackageRequest, Resolved> {
    for (observation, entry) in survey.observed() {
        if observation.inputs().is_none() {
            continue;
        }
        let needed = PackageRequest { specifiers: entry.specifiers.clone(), lock: entry.lock.clone() };
        if let btree_map::Entry::Vacant(slot) = resolved.entry(needed) {
            let now = Resolved::now(ports, slot.key()).await;
            slot.insert(now);
        }
    }
    resolved
}

/// The digest of what each set of packages stands for.
pub(super) fn digests(resolved: &BTreeMap<PackageRequest, Resolved>) -> BTreeMap<PackageRequest, Digest> {
    resolved.iter().map(|(needed, resolved)| (needed.clone(), resolved.digest())).collect()
}

/// What one set of packages is at the moment.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    /// How entries that need them are built; its identity is the bundler part.
    pub(super) route: Route,
    /// The packages part, without what an extension ships.
    pub(super) packages: Part,
}

impl Resolved {
    pub(super) async fn now(ports: &Ports, needed: &PackageRequest) -> Self {
        let route = ports.bundler.route(needed).await;
        let packages = match &route.resolver {
            Resolver::Bundler(part) => part.clone(),
            Resolver::Packages => closure(ports, needed).await,
        };
        Self { route, packages }
    }

    /// Names both parts. That the bundler is unavailable is an answer like others.
    pub(super) fn digest(&self) -> Digest {
        let bundler = self.route.identity.as_ref().map_or_else(|| Digest::of(b"unavailable"), Part::digest);
        Digest::of(&[bundler, self.packages.digest()].map(|digest| *digest.as_bytes()).concat())
    }
}

/// An unknown closure counts as one of its own: the build that follows says why it is unknown.
async fn closure(ports: &Ports, request: &PackageRequest) -> Part {
    match ports.packages.closure(request).await {
        Ok(part) => part,
        Err(fault) => {
            tracing::debug!(%fault, "the package closure is not known");
            Part::of([Line::new("closure", "unknown")])
        }
    }
}

/// The packages of an entry, ready to be bundled with it; nothing where its bundler resolves them itself.
pub(crate) async fn prepare(ports: &Ports, packages: &PackageRequest) -> Result<PreparedPackages, Fault> {
    let route = ports.bundler.route(packages).await;
    prepare_by(&route.resolver, ports, packages, &Arc::default()).await
}

async fn prepare_by(
    resolver: &Resolver,
    ports: &Ports,
    packages: &PackageRequest,
    outages: &Arc<Outages>,
) -> Result<PreparedPackages, Fault> {
    match resolver {
        Resolver::Packages => ports.packages.prepare(packages, outages).await,
        Resolver::Bundler(part) => {
            let (imports, offers) = (BTreeMap::new(), BTreeMap::new());
            Ok(PreparedPackages { imports, offers, vendors: Vec::new(), packages: part.clone() })
        }
    }
}
