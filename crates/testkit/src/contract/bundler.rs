//! What every [`Bundler`] must do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    bundle::BundleFile,
    failure::FailureClass,
    module_graph::EdgeTarget,
    package::PackageRequest,
    ports::{BuildFailure, BundleRequest, Bundler},
    problem::Code,
};

use crate::graphs::{external, module_graph, path};

/// The contract of [`Bundler`].
///
/// # Panics
/// If the implementation breaks the contract.
pub async fn bundler(make: &(dyn Fn() -> Box<dyn Bundler> + Sync)) {
    let bundler = make();
    let packages = PackageRequest { specifiers: BTreeSet::from(["npm:zod@4".to_owned()]), lock: None };
    let route = bundler.route(&packages).await;
    assert_eq!(bundler.route(&packages).await, route, "it is settled");
    let lines = route.identity.expect("it is available").lines().expect("the identity can be decoded");
    assert!(lines.iter().any(|line| line.key == "adapter") && lines.iter().any(|line| line.key == "version"));

    let model = request(
        &[
            (
                "models/a.ts",
                "import { z } from 'npm:zod@4';\nimport { helper } from './b.ts';\nexport const model: unknown = helper(z);\n",
            ),
            ("models/b.ts", "export const helper = (x: unknown): unknown[] => [x, 'from the helper'];\n"),
        ],
        &[
            ("models/a.ts", "npm:zod@4", external("npm:zod@4")),
            ("models/a.ts", "./b.ts", EdgeTarget::File(path("models/b.ts"))),
        ],
    );
    let bundle = bundler.bundle(model.clone(), &Arc::default()).await.expect("a model is bundled");
    assert!(bundle.code.contains("from the helper"), "local files go in: {}", bundle.code);
    assert!(!bundle.code.contains("npm:zod") && !bundle.code.contains("unknown"), "{}", bundle.code);
    assert!(bundle.code.contains("../vendor/d/zod.js"), "an external is imported under its name: {}", bundle.code);
    assert_eq!(
        bundler.bundle(model.clone(), &Arc::default()).await.as_ref(),
        Ok(&bundle),
        "the same request gives the same bundle"
    );
    assert_eq!(make().bundle(model.clone(), &Arc::default()).await.as_ref(), Ok(&bundle), "and does so elsewhere");

    let mut whole = model.clone();
    let file = |path: &str, code: &str| BundleFile { path: path.to_owned(), code: Arc::from(code) };
    whole.inlined = vec![
        file(
            "../vendor/d/zod.js",
            "import os from 'node:os'; import { z } from './chunk-1.js'; import '../e/side.js'; export { z, os };",
        ),
        file("../vendor/d/chunk-1.js", "export const z = 'inside of the package';"),
        file("../vendor/e/side.js", "globalThis.side = 'inside of another one';"),
        file("../vendor/d/unit.json", "{}"),
    ];
    let bundle = bundler.bundle(whole, &Arc::default()).await.expect("a model is bundled with its packages");
    assert!(bundle.code.contains("inside of the package") && bundle.code.contains("inside of another one"));
    assert!(!bundle.code.contains("vendor/") && !bundle.code.contains("chunk-1"), "{}", bundle.code);

    // The bytes of the request, not those of a file of that name.
    let mut edited = model.clone();
    edited.graph.files[1].bytes = Arc::from(&b"export const helper = () => 'edited';"[..]);
    let bundle = bundler.bundle(edited, &Arc::default()).await.expect("an edited model is bundled");
    assert!(bundle.code.contains("edited") && !bundle.code.contains("from the helper"), "{}", bundle.code);

    let types = request(&[("a.ts", "export interface A { b: string }\n")], &[]);
    bundler.bundle(types, &Arc::default()).await.expect("a file of types only is an empty module");

    let needs = request(&[("a.ts", "export const a = () => [fetch('x'), Deno.args, Math.max(1)];")], &[]);
    assert_eq!(bundler.bundle(needs, &Arc::default()).await.expect("it is bundled").requirements, ["Deno", "fetch"]);

    let failure = failed(&*bundler, request(&[("a.ts", "const ok = 1;\nexport const = 2;\n")], &[])).await;
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::SYNTAX));
    let position = failure.fault.position.expect("a syntax error has a position");
    assert_eq!((position.file.as_str(), position.line), ("a.ts", 2));
    assert!(failure.diagnostics.iter().any(|text| text.contains("export const")), "{:?}", failure.diagnostics);

    let leads = |target| request(&[("a.ts", "\nimport './gone.ts';\n")], &[("a.ts", "./gone.ts", target)]);
    let failure = failed(&*bundler, leads(EdgeTarget::Missing)).await;
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::UNRESOLVED_IMPORT));
    assert_eq!(failure.fault.position.map(|at| at.line), Some(2));
    let failure = failed(&*bundler, leads(EdgeTarget::OutsideRoot)).await;
    assert_eq!((failure.fault.class, failure.fault.code), (FailureClass::Deterministic, Code::IMPORT_OUTSIDE_ROOT));
}

async fn failed(bundler: &dyn Bundler, request: BundleRequest) -> BuildFailure {
    bundler.bundle(request, &Arc::default()).await.expect_err("this cannot be bundled")
}

/// The first file is the entry.
fn request(files: &[(&str, &str)], edges: &[(&str, &str, EdgeTarget)]) -> BundleRequest {
    BundleRequest {
        graph: module_graph(files, edges),
        imports: BTreeMap::from([("npm:zod@4".to_owned(), "../vendor/d/zod.js".to_owned())]),
        offers: BTreeMap::new(),
        inlined: Vec::new(),
    }
}
