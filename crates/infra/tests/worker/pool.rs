//! Jobs without a session.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use mangrove_domain::{
    bundle::{BundleFile, LoadedBundle},
    failure::FailureClass,
    ports::{BundleRequest, Bundler as _, ExportInspector as _, InspectRequest},
    problem::Code,
    shape::Shape,
};
use mangrove_infra::{bundler::embedded::InProcess, worker::Pool};
use mangrove_npm::vendor::{VendorBundler as _, VendorRequest};
use mangrove_sources::parser::ModuleParser as _;
use mangrove_testkit::graphs::module_graph;
use rustix::process::{Pid, Signal, kill_process};

use crate::child::FAKE;
use crate::support::{PATIENCE, SHORT, Test, ask, block_on, has_ended, options, pid, until};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("many_jobs_share_few_workers", many_jobs_share_few_workers),
        ("a_panic_costs_its_job", a_panic_costs_its_job),
        ("a_panic_on_another_thread_costs_its_job", a_panic_on_another_thread_costs_its_job),
        ("an_abort_costs_its_job_and_is_named", an_abort_costs_its_job_and_is_named),
        ("a_kill_from_outside_is_no_fault_of_the_input", a_kill_from_outside_is_no_fault_of_the_input),
        (
            "f26_a_job_whose_child_somebody_killed_is_done_by_another",
            f26_a_job_whose_child_somebody_killed_is_done_by_another,
        ),
        ("fault_36_a_time_limit_kills_the_whole_group", fault_36_a_time_limit_kills_the_whole_group),
        ("waiting_for_a_processor_is_no_use_of_time", waiting_for_a_processor_is_no_use_of_time),
        ("a_package_of_many_modules_takes_few_threads", a_package_of_many_modules_takes_few_threads),
        ("a_memory_limit_kills", a_memory_limit_kills),
        ("nested_brackets_cost_their_job_only", nested_brackets_cost_their_job_only),
        ("a_worker_that_died_idle_costs_nothing", a_worker_that_died_idle_costs_nothing),
        ("a_missing_program_is_said_so", a_missing_program_is_said_so),
        ("fault_35_workers_need_no_environment", fault_35_workers_need_no_environment),
        ("idle_workers_end", idle_workers_end),
        ("workers_are_replaced_after_their_share", workers_are_replaced_after_their_share),
        ("dropping_the_pool_ends_its_workers", dropping_the_pool_ends_its_workers),
        ("a_cancelled_job_ends_its_worker", a_cancelled_job_ends_its_worker),
        ("a_child_ends_with_its_parent_in_the_middle_of_a_job", a_child_ends_with_its_parent_in_the_middle_of_a_job),
        ("a_bundle_is_the_same_in_a_worker", a_bundle_is_the_same_in_a_worker),
        ("build_failures_come_through", build_failures_come_through),
        ("vendor_bundles_come_through", vendor_bundles_come_through),
        ("inspections_come_through", inspections_come_through),
    ]
}

fn request(name: &str, text: &str) -> BundleRequest {
    BundleRequest {
        graph: module_graph(&[(name, text)], &[]),
        imports: BTreeMap::new(),
        offers: BTreeMap::new(),
        inlined: Vec::new(),
    }
}

fn many_jobs_share_few_workers() {
    block_on(async {
        let pool = Pool::new(options(3));
        let jobs = (0..100).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pid(&pool).await })
        });
        let mut pids = BTreeSet::new();
        for job in jobs.collect::<Vec<_>>() {
            pids.insert(job.await.unwrap());
        }
        assert!(pids.len() <= 3, "{pids:?}");
        assert_eq!(pool.idle_workers(), pids.len());
    });
}

fn a_panic_costs_its_job() {
    block_on(async {
        let pool = Pool::new(options(1));
        let before = pid(&pool).await;
        let fault = ask(&pool, "panic").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::WORKER_CRASHED));
        assert_eq!(fault.message, "the worker panicked while parsing `panic`: told to panic");
        assert_ne!(pid(&pool).await, before, "a worker that panicked worked on");
    });
}

fn a_panic_on_another_thread_costs_its_job() {
    block_on(async {
        let pool = Pool::new(options(1));
        let fault = ask(&pool, "panic elsewhere").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::WORKER_CRASHED));
        assert!(fault.message.contains("told to panic elsewhere"), "{fault}");
        pid(&pool).await;
    });
}

fn an_abort_costs_its_job_and_is_named() {
    block_on(async {
        let pool = Pool::new(options(1));
        let fault = ask(&pool, "abort").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Deterministic, Code::WORKER_CRASHED));
        assert_eq!(fault.message, "the worker died of SIGABRT while parsing `abort`: about to abort");
        pid(&pool).await;
    });
}

fn a_kill_from_outside_is_no_fault_of_the_input() {
    block_on(async {
        let pool = Pool::new(options(1));
        let fault = ask(&pool, "killed").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::WORKER_CRASHED));
        assert!(fault.message.contains("SIGKILL"), "{fault}");
        pid(&pool).await;
    });
}

fn f26_a_job_whose_child_somebody_killed_is_done_by_another() {
    block_on(async {
        let pool = Pool::new(options(1));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("killed");
        let bytes = Arc::from(file.to_str().unwrap().as_bytes());
        assert_eq!(pool.parse("killed once", bytes).await.unwrap().exports, ["done"]);
        assert!(file.exists());
    });
}

fn fault_36_a_time_limit_kills_the_whole_group() {
    block_on(async {
        let mut options = options(1);
        // Long enough for the child to start a child of its own.
        options.time_limits.parse = Duration::from_secs(2);
        let pool = Pool::new(options);
        let worker = pid(&pool).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let bytes = Arc::from(file.to_str().unwrap().as_bytes());
        let fault = pool.parse("hang with a child", bytes).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::WORKER_TIMED_OUT));
        let grandchild: u32 = fs::read_to_string(&file).unwrap().parse().unwrap();
        until("the worker ends", || has_ended(worker)).await;
        until("the worker's child ends", || has_ended(grandchild)).await;
        assert_ne!(pid(&pool).await, worker);
    });
}

fn waiting_for_a_processor_is_no_use_of_time() {
    block_on(async {
        let mut options = options(1);
        options.time_limits.parse = Duration::from_secs(1);
        let pool = Pool::new(options);
        let worker = pid(&pool).await;
        let start = Instant::now();
        let fault = ask(&pool, "hang in a crowd").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::WORKER_TIMED_OUT));
        // Five share each processor, so a fifth of the time is the job's, or less on a busy machine.
        assert!(start.elapsed() > Duration::from_secs(2), "killed after {:?}", start.elapsed());
        until("the worker ends", || has_ended(worker)).await;
    });
}

fn a_package_of_many_modules_takes_few_threads() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("node_modules/sdk");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("package.json"), r#"{"name":"sdk","type":"module","main":"index.js"}"#).unwrap();
        let mut index = String::new();
        for number in 0..1_500 {
            index.push_str(&format!("export * from \"./command{number}.js\";\n"));
            let filler = format!("// {}\n", "x".repeat(76)).repeat(100);
            fs::write(package.join(format!("command{number}.js")), format!("{filler}export const c{number} = 1;\n"))
                .unwrap();
        }
        fs::write(package.join("index.js"), index).unwrap();
        let request = VendorRequest {
            package: "sdk@1.0.0".to_owned(),
            directory: directory.path().to_owned(),
            entries: [("sdk".to_owned(), "sdk.js".to_owned())].into(),
            shared: BTreeSet::new(),
        };
        let pool = Pool::new(options(1));
        let worker = pid(&pool).await;
        pool.build_vendor(request).await.unwrap();
        // Threads that have read stay for a while. Each reserves a stack, which counts towards the limit of memory.
        let threads = fs::read_dir(format!("/proc/{worker}/task")).unwrap().count();
        assert!(threads <= 10, "{threads} threads");
    });
}

fn a_memory_limit_kills() {
    block_on(async {
        let mut options = options(1);
        options.memory_limit_bytes = 100 << 20;
        let pool = Pool::new(options);
        let fault = ask(&pool, "eat memory").await.unwrap_err();
        assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::MEMORY_LIMIT));
        assert!(fault.message.contains("of at most 100 MB"), "{fault}");
        pid(&pool).await;
    });
}

fn nested_brackets_cost_their_job_only() {
    block_on(async {
        let pool = Pool::new(options(2));
        // 4 kB end some stacks and not others; 4 MB end every one.
        let hostile = [2_000, 2_000_000].map(|depth| {
            let pool = pool.clone();
            let text = format!("export const model = {}{};", "[".repeat(depth), "]".repeat(depth));
            tokio::spawn(async move { (depth, pool.bundle(request("deep.ts", &text), &Arc::default()).await) })
        });
        let healthy: Vec<_> = (0..20)
            .map(|index| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    pool.bundle(request("a.ts", &format!("export const a = {index};")), &Arc::default()).await
                })
            })
            .collect();
        for job in healthy {
            job.await.unwrap().unwrap();
        }
        for job in hostile {
            let (depth, outcome) = job.await.unwrap();
            match outcome {
                Ok(_) => assert_eq!(depth, 2_000),
                Err(failure) => {
                    assert_eq!(
                        (failure.fault.class, failure.fault.code),
                        (FailureClass::Deterministic, Code::WORKER_CRASHED)
                    );
                    assert!(failure.fault.message.contains("died of SIG"), "{}", failure.fault);
                }
            }
        }
        pool.bundle(request("a.ts", "export const a = 1;"), &Arc::default()).await.unwrap();
    });
}

fn a_worker_that_died_idle_costs_nothing() {
    block_on(async {
        let pool = Pool::new(options(1));
        for _ in 0..20 {
            let worker = pid(&pool).await;
            let raw = Pid::from_raw(i32::try_from(worker).unwrap()).unwrap();
            kill_process(raw, Signal::KILL).unwrap();
            assert_ne!(pid(&pool).await, worker);
        }
    });
}

fn a_missing_program_is_said_so() {
    block_on(async {
        for (program, expected) in
            [("/nowhere/mangrove", "cannot start"), ("/bin/false", "exited with 1 before it began")]
        {
            let mut options = options(1);
            options.program = program.into();
            let fault = ask(&Pool::new(options), "pid").await.unwrap_err();
            assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::WORKER_UNAVAILABLE));
            assert!(fault.message.contains(expected), "{fault}");
        }
    });
}

fn fault_35_workers_need_no_environment() {
    block_on(async {
        let pool = Pool::new(options(1));
        assert_eq!(ask(&pool, "environment").await.unwrap(), ["RAYON_NUM_THREADS", "RUST_MIN_STACK", "/"]);
        pool.bundle(request("a.ts", "export const a: number = 1;"), &Arc::default()).await.unwrap();
    });
}

fn idle_workers_end() {
    block_on(async {
        let mut options = options(2);
        options.idle_timeout = Duration::from_millis(50);
        let pool = Pool::new(options);
        for _ in 0..2 {
            let worker = pid(&pool).await;
            until("the pool is empty", || pool.idle_workers() == 0).await;
            until("the worker ends", || has_ended(worker)).await;
        }
    });
}

fn workers_are_replaced_after_their_share() {
    block_on(async {
        let mut options = options(1);
        options.jobs_before_recycle = 2;
        let pool = Pool::new(options);
        let pids = [pid(&pool).await, pid(&pool).await, pid(&pool).await];
        assert_eq!(pids[0], pids[1]);
        assert_ne!(pids[1], pids[2]);
    });
}

fn dropping_the_pool_ends_its_workers() {
    block_on(async {
        let pool = Pool::new(options(1));
        let worker = pid(&pool).await;
        drop(pool);
        until("the worker ends", || has_ended(worker)).await;
    });
}

fn a_cancelled_job_ends_its_worker() {
    block_on(async {
        let pool = Pool::new(options(1));
        let worker = pid(&pool).await;
        let outcome = tokio::time::timeout(SHORT, ask(&pool, "hang")).await;
        assert!(outcome.is_err());
        until("the worker ends", || has_ended(worker)).await;
        assert_ne!(pid(&pool).await, worker);
    });
}

fn a_child_ends_with_its_parent_in_the_middle_of_a_job() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("worker")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A frame that asks to parse a file called `hang`: its length, the number of the request, path, no bytes.
    input.write_all(b"\x07\0\0\0\x01\x04hang\0").unwrap();
    input.flush().unwrap();
    let mut accepted = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut accepted).unwrap();
    assert_eq!(accepted, [1, 0, 0, 0, 0]);
    assert!(child.try_wait().unwrap().is_none());
    drop(input);
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "the child outlives its parent");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_bundle_is_the_same_in_a_worker() {
    block_on(async {
        let pool = Pool::new(options(1));
        let request = request("m/a.ts", "export const model: object = { type: 'a/b', f: () => fetch('x') };");
        assert_eq!(
            pool.bundle(request.clone(), &Arc::default()).await.unwrap(),
            InProcess.bundle(request, &Arc::default()).await.unwrap()
        );
    });
}

fn build_failures_come_through() {
    block_on(async {
        let pool = Pool::new(options(1));
        let request = request("m/a.ts", "export const = 1;");
        let failure = pool.bundle(request.clone(), &Arc::default()).await.unwrap_err();
        assert_eq!(failure, InProcess.bundle(request, &Arc::default()).await.unwrap_err());
        assert_eq!((failure.fault.code, failure.fault.position.unwrap().line), (Code::SYNTAX, 1));
    });
}

fn vendor_bundles_come_through() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("node_modules/pkg");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("package.json"), r#"{"name":"pkg","type":"module","main":"a.js"}"#).unwrap();
        fs::write(package.join("a.js"), "export const a = 1;").unwrap();
        let request = VendorRequest {
            package: "pkg@1.0.0".to_owned(),
            directory: directory.path().to_owned(),
            entries: [("pkg".to_owned(), "pkg.js".to_owned())].into(),
            shared: std::collections::BTreeSet::new(),
        };
        let output = Pool::new(options(1)).build_vendor(request).await.unwrap();
        let names: Vec<&str> = output.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["pkg.js", "unit.json"]);
    });
}

fn inspections_come_through() {
    block_on(async {
        let pool = Pool::new(options(1));
        let request = InspectRequest {
            bundle: LoadedBundle {
                code: FAKE.into(),
                vendor_files: vec![BundleFile { path: "../vendor/a/z.js".to_owned(), code: "".into() }],
            },
            code_digest: None,
            export_names: vec!["model".into(), "extension".into()],
            subject: "extensions/models/a.ts".to_owned(),
        };
        let inspection = pool.inspect(request).await.unwrap();
        let (name, shape) = inspection.export.unwrap();
        assert_eq!((&*name, shape.get("execute")), ("model", Some(&Shape::Function)));
        assert_eq!(inspection.touched, ["../vendor/a/z.js"]);
        assert_eq!(inspection.notes, [FAKE, "extensions/models/a.ts"]);
    });
}
