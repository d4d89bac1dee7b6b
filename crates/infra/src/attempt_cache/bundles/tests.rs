use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use mangrove_domain::{bundle::BundleFile, package::WideOffer, problem::Code};
use mangrove_testkit::{
    fakes::{MemoryCatalog, MemoryStore},
    graphs::module_graph,
};

use super::*;

/// Builds the text of the entry, and counts; a text that begins with `broken` fails.
#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Bundler for Counting {
    async fn route(&self, _request: &PackageRequest) -> Route {
        Route::prepared(embedded::identity())
    }

    async fn bundle(&self, request: BundleRequest, _outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let code = String::from_utf8_lossy(&request.graph.files[0].bytes).into_owned();
        if code.starts_with("broken") {
            return Err(Fault::deterministic(Code::BUNDLE_FAILED, "syntax", "it is broken").into());
        }
        Ok(Bundle {
            code,
            requirements: vec!["Deno".to_owned(), "node:fs".to_owned()],
            remarks: vec!["two\nlines".to_owned()],
        })
    }
}

struct World {
    inner: Arc<Counting>,
    cache: Arc<MemoryCatalog>,
    store: Arc<MemoryStore>,
    bundler: CachedBundler,
}

impl World {
    fn new() -> Self {
        let (inner, cache, store) = (Arc::new(Counting::default()), Arc::default(), Arc::new(MemoryStore::new()));
        let bundler = CachedBundler::new(Arc::clone(&inner) as _, Arc::clone(&cache) as _, Arc::clone(&store) as _);
        Self { inner, cache, store, bundler }
    }

    /// Builds it as an attempt does, which stores what came out.
    async fn build(&self, request: &BundleRequest) -> Result<Bundle, BuildFailure> {
        let bundle = self.bundler.bundle(request.clone(), &Arc::default()).await?;
        self.store.put(&bundle.code).await.expect("a store");
        Ok(bundle)
    }

    fn builds(&self) -> usize {
        self.inner.0.load(Ordering::Relaxed)
    }
}

fn request(text: &str) -> BundleRequest {
    BundleRequest {
        graph: module_graph(&[("a.ts", text)], &[("a.ts", "npm:zod@4", EdgeTarget::External("npm:zod@4".to_owned()))]),
        imports: BTreeMap::from([("npm:zod@4".to_owned(), "../vendor/aa/zod.js".to_owned())]),
        offers: BTreeMap::from([("../vendor/aa/zod.js".to_owned(), Arc::new(offer(&["z"])))]),
        inlined: Vec::new(),
    }
}

fn offer(names: &[&str]) -> Offer {
    Offer {
        package: "zod@4.0.0".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        is_open: false,
        wide: None,
    }
}

#[tokio::test]
async fn what_was_built_is_not_built_again_also_after_something_else() {
    let world = World::new();
    let first = world.build(&request("export const a = 1;")).await.expect("a bundle");
    world.build(&request("export const a = 2;")).await.expect("another");
    assert_eq!(world.build(&request("export const a = 1;")).await.expect("the first one"), first);
    assert_eq!(world.builds(), 2);
}

#[tokio::test]
async fn a_build_that_failed_is_made_again() {
    let world = World::new();
    for _ in 0..2 {
        world.build(&request("broken")).await.expect_err("no bundle");
    }
    assert_eq!(world.builds(), 2);
}

#[tokio::test]
async fn a_bundle_that_the_store_has_no_more_or_that_is_damaged_is_built_again() {
    let world = World::new();
    let wanted = request("export const a = 1;");
    let bundle = world.build(&wanted).await.expect("a bundle");
    let stored = ObjectKey::Extension(Digest::of(bundle.code.as_bytes()));
    world.store.remove(stored).await.expect("removed");
    assert_eq!(world.build(&wanted).await.expect("built again"), bundle);
    world.store.damage(stored, b"export const a = 9;");
    assert_eq!(world.build(&wanted).await.expect("built once more"), bundle);
    assert_eq!(world.builds(), 3);
}

#[tokio::test]
async fn what_is_remembered_and_damaged_is_not_believed() {
    let world = World::new();
    let wanted = request("export const a = 1;");
    let bundle = world.build(&wanted).await.expect("a bundle");
    let key = key(&wanted);
    let whole = world.cache.cached(key).await.expect("readable").expect("remembered");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        world.cache.cache(key, &damaged).await.expect("written");
        let before = world.builds();
        assert_eq!(world.build(&wanted).await.expect("built"), bundle);
        assert_eq!(world.builds(), before + 1, "byte {at}");
    }
}

#[tokio::test]
async fn another_cache_remembers_for_itself() {
    let world = World::new();
    let wanted = request("export const a = 1;");
    world.build(&wanted).await.expect("a bundle");
    let elsewhere = Arc::new(MemoryCatalog::default());
    let other = world.bundler.remembering_in(Arc::clone(&elsewhere) as _).expect("it remembers");
    other.bundle(wanted.clone(), &Arc::default()).await.expect("a bundle");
    assert_eq!(world.builds(), 2, "a catalog that is made anew is made of what is built anew");
    assert!(elsewhere.cached(key(&wanted)).await.expect("readable").is_some());
}

#[test]
fn everything_that_a_bundle_depends_on_is_in_the_key() {
    let change = |change: &dyn Fn(&mut BundleRequest)| {
        let mut changed = request("export const a = 1;");
        change(&mut changed);
        key(&changed)
    };
    let with_offer = |offer: Offer| {
        change(&|request| {
            request.offers.insert("../vendor/aa/zod.js".to_owned(), Arc::new(offer.clone()));
        })
    };
    let wide = |import: &str, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Offer { wide: Some(WideOffer { import: import.to_owned(), names }), ..offer(&["z"]) }
    };
    let keys = [
        change(&|_| ()),
        change(&|request| request.graph = module_graph(&[("a.ts", "export const a = 2;")], &[])),
        change(&|request| request.graph = module_graph(&[("b.ts", "export const a = 1;")], &[])),
        change(&|request| request.graph.edges.clear()),
        change(&|request| request.graph.edges[0].target = EdgeTarget::Missing),
        change(&|request| request.graph.edges[0].target = EdgeTarget::OutsideRoot),
        change(&|request| request.graph.edges[0].specifier = "zod".to_owned()),
        change(&|request| request.graph.config = Part::of([Line::new("jsx", "react")])),
        change(&|request| request.graph.compiler_options = Json::Object(vec![("jsx".to_owned(), Json::from("react"))])),
        change(&|request| {
            request.imports.insert("npm:zod@4".to_owned(), "../vendor/bb/zod.js".to_owned());
        }),
        with_offer(offer(&["z", "default"])),
        with_offer(offer(&["z,default"])),
        with_offer(Offer { package: "zod@4.0.1".to_owned(), ..offer(&["z"]) }),
        with_offer(Offer { is_open: true, ..offer(&["z"]) }),
        with_offer(wide("../vendor/aa/zod~members.js", &["z"])),
        with_offer(wide("../vendor/aa/zod~members.js", &["z", "y"])),
        change(&|request| {
            request.inlined.push(BundleFile { path: "../vendor/aa/zod.js".to_owned(), code: "1;".into() });
        }),
        change(&|request| {
            request.inlined.push(BundleFile { path: "../vendor/aa/zod.js".to_owned(), code: "2;".into() });
        }),
    ];
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    assert_eq!(key(&request("export const a = 1;")), keys[0]);
}
