//! The contracts of the ports that the pool implements, with the real bundler and engine in the children.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mangrove_domain::{
    bundle::LoadedBundle,
    failure::FailureClass,
    ports::{ExportInspector as _, InspectRequest},
    problem::Code,
    shape::Shape,
};
use mangrove_engine::Limits;
use mangrove_infra::{
    web::WebClient,
    worker::{Pool, PoolOptions},
};
use mangrove_sources::parser::ModuleParser as _;
use mangrove_testkit::contract;

use crate::support::{Test, block_on, has_ended, options, pid, until};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("contract_bundler", || block_on(contract::bundler(&|| Box::new(Pool::new(options(1)))))),
        ("contract_export_inspector", || block_on(contract::export_inspector(&|| Box::new(Pool::new(limited()))))),
        ("contract_method_runner", || block_on(contract::method_runner(&|| Box::new(Pool::new(limited()))))),
        ("contract_kept_modules", || {
            block_on(async { contract::kept_modules(&Pool::new(limited())).await });
        }),
        ("contract_method_runner_fetch", || {
            block_on(contract::method_runner_fetch(&|| Box::new(Pool::new(connected()))));
        }),
        ("modules_are_parsed", modules_are_parsed),
        ("a_built_in_that_ignores_interrupts_is_killed", a_built_in_that_ignores_interrupts_is_killed),
        ("fault_29_a_module_that_throws_is_evaluated_once", fault_29_a_module_that_throws_is_evaluated_once),
    ]
}

/// The engine ends what is endless by itself after a short while.
fn limited() -> PoolOptions {
    let limits =
        Limits { cpu: Duration::from_millis(300), memory_bytes: 32 << 20, pending_jobs: 20_000, ..Limits::default() };
    // The contract of runners holds several sessions at once.
    PoolOptions { inspect_limits: limits.clone(), run_limits: limits, ..options(4) }
}

/// The same with somebody who sends requests.
fn connected() -> PoolOptions {
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    PoolOptions { run_limits: limits, web: Some(Arc::new(WebClient::new(&BTreeMap::new()))), ..options(4) }
}

fn look_at(code: &str) -> InspectRequest {
    InspectRequest {
        bundle: LoadedBundle { code: code.into(), vendor_files: Vec::new() },
        code_digest: None,
        export_names: vec![Arc::from("model")],
        subject: "a.ts".to_owned(),
    }
}

fn modules_are_parsed() {
    block_on(async {
        let pool = Pool::new(options(1));
        let text: Arc<[u8]> = Arc::from(&b"import \"./b.ts\"; export const model = { type: \"@a/b\" };"[..]);
        let module = pool.parse("a.ts", text).await.unwrap();
        assert_eq!(
            (module.imports[0].specifier.as_str(), module.exports.as_slice()),
            ("./b.ts", &["model".to_owned()][..])
        );
        let broken = pool.parse("a.ts", Arc::from(&b"export const = 1;"[..])).await.unwrap();
        assert_eq!(broken.syntax_error.unwrap().line, 1);
    });
}

fn a_built_in_that_ignores_interrupts_is_killed() {
    block_on(async {
        let mut options = limited();
        options.time_limits.inspect = Duration::from_secs(2);
        let pool = Pool::new(options);
        let worker = pid(&pool).await;
        let fault = pool.inspect(look_at("Array(2**32-1).sort(); export const model = {};")).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::WORKER_TIMED_OUT));
        until("the worker ends", || has_ended(worker)).await;
        let found = pool.inspect(look_at("export const model = { a: 1 };")).await.unwrap();
        assert!(found.export.is_some_and(|(_, shape)| matches!(shape, Shape::Object(_))));
    });
}

fn fault_29_a_module_that_throws_is_evaluated_once() {
    block_on(async {
        let pool = Pool::new(options(1));
        // A second evaluation in the same realm would say 2.
        let code = "globalThis.times = (globalThis.times ?? 0) + 1; throw new Error(`evaluated ${globalThis.times}`);";
        for _ in 0..2 {
            let fault = pool.inspect(look_at(code)).await.unwrap_err();
            assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::THREW_WHILE_LOADING));
            assert!(fault.message.contains("evaluated 1"), "{fault}");
        }
    });
}
