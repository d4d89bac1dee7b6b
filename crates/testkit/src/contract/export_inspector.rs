//! What every [`ExportInspector`] must do.

use std::sync::Arc;

use mangrove_domain::{
    bundle::LoadedBundle,
    failure::Fault,
    inspection::Inspection,
    ports::{ExportInspector, InspectRequest},
    problem::Code,
    shape::Shape,
};

/// The contract of [`ExportInspector`]. `make` gives an inspector whose limit of processor time is a few hundred
/// milliseconds or more.
///
/// # Panics
/// If the implementation breaks the contract.
pub async fn export_inspector(make: &(dyn Fn() -> Box<dyn ExportInspector> + Sync)) {
    let inspector = make();

    let found = inspect(&*inspector, "export const model = { type: '@a/b', run() {} };").await.expect("a model loads");
    let (name, shape) = found.export.expect("the export is found");
    assert_eq!(&*name, "model");
    assert_eq!(shape.get("type").and_then(Shape::as_str), Some("@a/b"));
    assert_eq!(shape.get("run"), Some(&Shape::Function));

    let found = inspect(&*inspector, "export const helper = 1;").await.expect("a helper loads");
    assert_eq!(found.export, None, "a bundle without the export is no failure");

    let fault = inspect(&*inspector, "throw new Error('at the top')").await.expect_err("a throw is a failure");
    assert_eq!(fault.code, Code::THREW_WHILE_LOADING);
    assert!(fault.message.contains("at the top") && fault.message.contains("a.ts"), "{}", fault.message);

    let fault = inspect(&*inspector, "for (;;);").await.expect_err("an endless loop ends");
    assert!([Code::CPU_LIMIT, Code::WORKER_TIMED_OUT].contains(&fault.code), "{fault:?}");
    let fault = inspect(&*inspector, "for (;;) await 0;").await.expect_err("endless promises end");
    assert!([Code::JOB_LIMIT, Code::CPU_LIMIT].contains(&fault.code), "{fault:?}");
    let fault = inspect(&*inspector, "const f = () => f() + 1; f();").await.expect_err("recursion ends");
    assert_eq!(fault.code, Code::STACK_LIMIT);
    let fault = inspect(&*inspector, "const a = []; for (;;) a.push(new Array(1e4).fill(1));").await;
    let fault = fault.expect_err("a memory bomb ends");
    assert!([Code::MEMORY_LIMIT, Code::CPU_LIMIT].contains(&fault.code), "{fault:?}");

    // No input or output, and the same answer every time.
    let code = "export const model = { env: Deno.env.get('HOME') ?? 'none', at: Date.now(), r: Math.random() };";
    let first = inspect(&*inspector, code).await.expect("it loads");
    assert_eq!(first.touched, ["Deno.env"]);
    assert_eq!(first.export.as_ref().and_then(|(_, shape)| shape.get("env")).and_then(Shape::as_str), Some("none"));
    assert_eq!(inspect(&*inspector, code).await.expect("it loads again"), first);
    assert_eq!(inspect(&*make(), code).await.expect("it loads elsewhere"), first);
}

async fn inspect(inspector: &dyn ExportInspector, code: &str) -> Result<Inspection, Fault> {
    let request = InspectRequest {
        bundle: LoadedBundle { code: code.into(), vendor_files: Vec::new() },
        code_digest: None,
        export_names: vec![Arc::from("model")],
        subject: "a.ts".to_owned(),
    };
    inspector.inspect(request).await
}
