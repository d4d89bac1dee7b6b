//! Packages where there are none: for a service whose extensions import nothing but their own files.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    failure::Fault,
    fingerprint::{Line, Part},
    outage::Outages,
    package::{PackageRequest, PreparedPackages},
    ports::Packages,
    problem::Code,
};

/// Refuses every package, and leaves modules that are built into the engine (`node:fs`) as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPackages;

#[async_trait]
impl Packages for NoPackages {
    /// A line for each package, so that an entry is built again by a program that has packages.
    async fn closure(&self, request: &PackageRequest) -> Result<Part, Fault> {
        let packages = request.specifiers.iter().filter(|specifier| !is_built_in(specifier));
        Ok(Part::of(packages.map(|specifier| Line::new(specifier, "unsupported"))))
    }

    async fn prepare(&self, request: &PackageRequest, _outages: &Arc<Outages>) -> Result<PreparedPackages, Fault> {
        if let Some(package) = request.specifiers.iter().find(|specifier| !is_built_in(specifier)) {
            let message = format!("cannot import {package:?}: this program uses no packages");
            return Err(Fault::deterministic(Code::UNSUPPORTED_SPECIFIER, format!("specifier:{package}"), message));
        }
        let imports: BTreeMap<String, String> =
            request.specifiers.iter().map(|specifier| (specifier.clone(), specifier.clone())).collect();
        let packages = self.closure(request).await?;
        Ok(PreparedPackages { imports, offers: BTreeMap::new(), vendors: Vec::new(), packages })
    }
}

fn is_built_in(specifier: &str) -> bool {
    specifier.starts_with("node:")
}

#[cfg(test)]
mod tests {
    use mangrove_domain::failure::FailureClass;

    use super::*;

    fn request(specifiers: &[&str]) -> PackageRequest {
        PackageRequest { specifiers: specifiers.iter().map(|&text| text.to_owned()).collect(), lock: None }
    }

    #[tokio::test]
    async fn local_files_and_built_in_modules_need_nothing() {
        for specifiers in [&[][..], &["node:fs", "node:path"]] {
            let request = request(specifiers);
            let prepared = NoPackages.prepare(&request, &Arc::default()).await.expect("nothing is needed");
            assert!(prepared.imports.iter().all(|(specifier, import)| specifier == import));
            assert_eq!(prepared.imports.len(), specifiers.len());
            assert_eq!((prepared.vendors, prepared.packages), (Vec::new(), Part::default()));
            assert_eq!(NoPackages.closure(&request).await, Ok(Part::default()));
        }
    }

    #[tokio::test]
    async fn every_package_is_refused_by_its_name() {
        for specifier in ["npm:zod@4", "jsr:@std/path", "https://example.com/a.ts", "zod", "fs"] {
            let request = request(&["node:fs", specifier]);
            let fault = NoPackages.prepare(&request, &Arc::default()).await.expect_err("a package is needed");
            assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::UNSUPPORTED_SPECIFIER));
            assert!(fault.message.contains(specifier), "{}", fault.message);
            let closure = NoPackages.closure(&request).await.expect("it is known without a look");
            assert_eq!(closure.lines().expect("lines"), [Line::new(specifier, "unsupported")]);
        }
    }
}
