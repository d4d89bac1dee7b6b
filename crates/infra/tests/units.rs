//! Units that import each other, built by the real bundler and run by the embedded engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::BundleRef,
    failure::Fault,
    json::Json,
    package::{PackageRequest, PreparedPackages},
    ports::{BundleStore, HostCall, Packages as _},
    problem::Code,
};
use mangrove_engine::EngineSession;
use mangrove_infra::{bundler::vendor::build_vendor_in_process, store::LocalStore, system::SystemEntropy};
use mangrove_npm::{
    NpmPackages, Options,
    registry::{Limits, SystemPause},
    vendor::{VendorBundler, VendorOutput, VendorRequest},
};
use mangrove_testkit::{
    registry::{FakePackage, FakeRegistry},
    requests::{open_model, unchecked_call},
};

fn request(specifiers: &[&str]) -> PackageRequest {
    PackageRequest { specifiers: specifiers.iter().map(|text| (*text).to_owned()).collect(), lock: None }
}

/// The real bundler, counted.
#[derive(Default)]
struct CountingVendor(AtomicUsize);

#[async_trait]
impl VendorBundler for CountingVendor {
    async fn build_vendor(&self, request: VendorRequest) -> Result<VendorOutput, Fault> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::spawn_blocking(move || build_vendor_in_process(&request)).await.expect("no panic")
    }
}

struct Real {
    directory: tempfile::TempDir,
    registry: FakeRegistry,
    vendor: Arc<CountingVendor>,
    store: Arc<LocalStore>,
}

impl Real {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let registry = FakeRegistry::start().expect("a registry");
        let store = Arc::new(LocalStore::new(directory.path().join(".mangrove/bundles")));
        let publish = |package: FakePackage| registry.publish(package);
        publish(
            FakePackage::new("zod", "4.3.6")
                .file("index.js", "export const z = { id: Symbol('zod') }; export default z;")
                .file("v4/index.js", "export { z as z4 } from '../index.js';"),
        );
        // Needs zod as a dependency of its own.
        publish(
            FakePackage::new("forms", "1.0.0")
                .dependency("zod", "^4.0.0")
                .file("index.js", "import { z } from 'zod'; export const formZod = z;"),
        );
        // Reaches into it by another path.
        publish(
            FakePackage::new("deep-forms", "1.0.0")
                .dependency("zod", "^4.0.0")
                .file("index.js", "import { z4 } from 'zod/v4'; export const deepZod = z4;"),
        );
        publish(FakePackage::new("host", "2.0.0").file("index.js", "export const registry = { plugins: [] };"));
        for name in ["plugin-a", "plugin-b"] {
            publish(FakePackage::new(name, "1.0.0").peer("host", "^2.0.0").file(
                "index.js",
                &format!("import {{ registry }} from 'host'; registry.plugins.push('{name}'); export {{ registry }};"),
            ));
        }
        // Two that need each other.
        publish(FakePackage::new("egg", "1.0.0").dependency("hen", "1.0.0").file(
            "index.js",
            "import { hen } from 'hen'; export const egg = () => 'egg'; export const both = () => [egg(), hen()];",
        ));
        publish(FakePackage::new("hen", "1.0.0").dependency("egg", "1.0.0").file(
            "index.js",
            "import { egg } from 'egg'; export const hen = () => 'hen'; export const both = () => [egg(), hen()];",
        ));
        Self { directory, registry, vendor: Arc::default(), store }
    }

    /// As a fresh process sees them.
    fn packages(&self) -> NpmPackages {
        NpmPackages::new(Options {
            state_directory: self.state(),
            repository: self.directory.path().to_owned(),
            environment: BTreeMap::from([("MANGROVE_NPM_REGISTRY".to_owned(), self.registry.url())]),
            is_offline: false,
            is_locked: false,
            vendor: Arc::clone(&self.vendor) as Arc<dyn VendorBundler>,
            vendor_identity: "real, counted".to_owned(),
            locks: Arc::new(mangrove_domain::ports::NoBuildLocks),
            store: Arc::clone(&self.store) as Arc<dyn BundleStore>,
            limits: Limits::default(),
            pause: Arc::new(SystemPause),
            entropy: Arc::new(SystemEntropy),
        })
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join(".mangrove")
    }

    async fn prepare(&self, specifiers: &[&str]) -> PreparedPackages {
        self.packages().prepare(&request(specifiers), &Arc::default()).await.expect("prepared")
    }

    fn builds(&self) -> usize {
        self.vendor.0.load(Ordering::SeqCst)
    }

    /// What `model.facts()` of a bundle gives, with the specifiers in its code replaced by what was prepared.
    async fn run(&self, prepared: &PreparedPackages, code: &str) -> String {
        let mut code = code.to_owned();
        for (specifier, path) in &prepared.imports {
            code = code.replace(&format!("'{specifier}'"), &format!("'{path}'"));
        }
        let entry = self.store.put(&code).await.expect("stored");
        let bundle = BundleRef { entry, vendors: prepared.vendors.clone() };
        let bundle = self.store.load(&bundle).await.expect("the whole closure");
        let request = open_model(bundle);
        let mut session = EngineSession::open(&request, &mangrove_engine::Limits::default()).expect("it loads");
        let nothing = Json::Object(Vec::new());
        let mut host = |_: HostCall| Err("no host".to_owned());
        session
            .call(&unchecked_call(vec!["facts".to_owned()], nothing.clone(), nothing), &mut host)
            .expect("it runs")
            .to_string()
    }
}

#[tokio::test]
async fn a_package_that_is_a_unit_stays_outside_of_other_units() {
    let real = Real::new();
    let direct = real.prepare(&["npm:zod@4"]).await;
    let through = real.prepare(&["npm:forms"]).await;
    assert_eq!(through.vendors.len(), 2);
    assert!(through.vendors.contains(&direct.vendors[0]), "both have the same zod: {through:?}");
    let both = real.prepare(&["npm:zod@4", "npm:forms"]).await;
    assert_eq!(both.vendors, through.vendors);
    assert_eq!(real.builds(), 2, "zod once and forms once");
    let code = "import { z } from 'npm:zod@4'; import { formZod } from 'npm:forms'; export const model = { facts: () => ({ same: z === formZod }) };";
    assert_eq!(real.run(&both, code).await, r#"{"same":true}"#);
}

#[tokio::test]
async fn the_order_does_not_matter() {
    let (one, other) = (Real::new(), Real::new());
    let first = one.prepare(&["npm:forms"]).await;
    one.prepare(&["npm:zod@4"]).await;
    other.prepare(&["npm:zod@4"]).await;
    assert_eq!(other.prepare(&["npm:forms"]).await, first);
}

#[tokio::test]
async fn a_sub_path_that_a_unit_lacks_makes_a_new_one_for_this_graph_alone() {
    let real = Real::new();
    let packages = real.packages();
    let prepare =
        async |specifiers: &[&str]| packages.prepare(&request(specifiers), &Arc::default()).await.expect("prepared");
    let plain = prepare(&["npm:zod@4", "npm:forms"]).await;
    assert_eq!(real.builds(), 2);
    let deep = prepare(&["npm:zod@4", "npm:forms", "npm:deep-forms"]).await;
    assert_eq!(deep.vendors.len(), 3);
    assert_eq!(real.builds(), 4, "zod with two entries, and deep-forms; forms is only linked to the other zod");
    let code =
        "import { z } from 'npm:zod@4'; import { formZod } from 'npm:forms'; import { deepZod } from 'npm:deep-forms';
         export const model = { facts: () => ({ same: [z === formZod, z === deepZod] }) };";
    assert_eq!(real.run(&deep, code).await, r#"{"same":[true,true]}"#);
    // Whoever was there before is not touched.
    assert_eq!(real.prepare(&["npm:zod@4", "npm:forms"]).await, plain);
    assert_eq!(real.prepare(&["npm:zod@4", "npm:forms", "npm:deep-forms"]).await, deep);
    assert_eq!(real.builds(), 4);
}

#[tokio::test]
async fn peers_are_one_instance_in_all_units_of_a_graph() {
    let real = Real::new();
    let prepared = real.prepare(&["npm:plugin-a", "npm:plugin-b"]).await;
    assert_eq!(prepared.vendors.len(), 3);
    let code = "import { registry as a } from 'npm:plugin-a'; import { registry as b } from 'npm:plugin-b';
         export const model = { facts: () => ({ same: a === b, plugins: a.plugins }) };";
    assert_eq!(real.run(&prepared, code).await, r#"{"same":true,"plugins":["plugin-a","plugin-b"]}"#);
}

#[tokio::test]
async fn packages_that_need_each_other_are_units_that_do_not() {
    let real = Real::new();
    let prepared = real.prepare(&["npm:egg", "npm:hen"]).await;
    let code = "import { both } from 'npm:egg'; import { both as other } from 'npm:hen'; export const model = { facts: () => ({ both: both(), other: other() }) };";
    assert_eq!(real.run(&prepared, code).await, r#"{"both":["egg","hen"],"other":["egg","hen"]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_models_on_one_package_fetch_build_and_store_it_once() {
    let real = Real::new();
    let packages = Arc::new(real.packages());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let packages = Arc::clone(&packages);
            tokio::spawn(async move { packages.prepare(&request(&["npm:forms", "npm:zod@4"]), &Arc::default()).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic").expect("prepared"));
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(real.registry.count("/forms"), 1);
    assert_eq!(real.registry.count("/forms/-/forms-1.0.0.tgz"), 1);
    assert_eq!(real.registry.count("/zod/-/zod-4.3.6.tgz"), 1);
    assert_eq!(real.builds(), 2);
    let stored: BTreeSet<_> = real.store.list().await.expect("objects").into_iter().collect();
    assert_eq!(stored, outcomes[0].vendors.iter().copied().collect());
}

#[tokio::test]
async fn a_lost_unit_inside_of_another_one_is_built_again() {
    let real = Real::new();
    let first = real.prepare(&["npm:forms"]).await;
    for lost in &first.vendors {
        let builds = real.builds();
        real.store.remove(lost.key).await.expect("removed");
        assert_eq!(real.prepare(&["npm:forms"]).await, first);
        assert_eq!(real.builds(), builds + 1);
    }
}

#[tokio::test]
async fn what_is_built_needs_no_registry_and_no_bundler() {
    let real = Real::new();
    let first = real.prepare(&["npm:forms", "npm:zod@4"]).await;
    real.registry.go_down();
    assert_eq!(real.prepare(&["npm:forms", "npm:zod@4"]).await, first);
    assert_eq!(real.builds(), 2);
}

#[tokio::test]
async fn a_package_that_imports_a_name_that_another_unit_lacks_is_refused() {
    let real = Real::new();
    let publish = |name: &str, text: &str| {
        real.registry.publish(FakePackage::new(name, "1.0.0").dependency("zod", "^4.0.0").file("index.js", text));
    };
    publish("misfit", "import { z, record } from 'zod'; export const all = [z, record];");
    publish("hands-on", "export * from 'zod'; export const own = 1;");
    real.registry.publish(
        FakePackage::new("lazy-misfit", "1.0.0")
            .dependency("zod", "^4.0.0")
            .file("index.js", "export const later = () => import('./later.js');")
            .file("later.js", "import { record } from 'zod'; export default record;"),
    );
    let fault = real.packages().prepare(&request(&["npm:misfit"]), &Arc::default()).await.unwrap_err();
    assert_eq!(fault.code, Code::MISSING_EXPORT, "{fault}");
    for text in ["misfit@1.0.0 imports `record` from `zod`", "zod@4.3.6 exports no such name"] {
        assert!(fault.message.contains(text), "{fault}");
    }
    // What is loaded later fails then, if it ever is.
    real.prepare(&["npm:lazy-misfit"]).await;
    let prepared = real.prepare(&["npm:hands-on", "npm:zod@4"]).await;
    let names = |specifier: &str| {
        let offer = &prepared.offers[&prepared.imports[specifier]];
        (offer.package.clone(), offer.names.iter().cloned().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(names("npm:hands-on"), ("hands-on@1.0.0".to_owned(), "own z".to_owned()));
    assert_eq!(names("npm:zod@4"), ("zod@4.3.6".to_owned(), "default z".to_owned()));
}
