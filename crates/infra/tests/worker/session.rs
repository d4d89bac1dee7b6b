//! Sessions: workers that are reserved for one loaded bundle.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    failure::{FailureClass, Fault},
    json::Json,
    ports::{HostCall, MethodHost, MethodRunner as _, RunError, Session},
    problem::Code,
};
use mangrove_infra::worker::Pool;
use mangrove_testkit::requests::{open_model, unchecked_call};

use crate::child::FAKE;
use crate::support::{PATIENCE, SHORT, Test, block_on, has_ended, options, pid, until};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("a_session_keeps_its_state_between_calls", a_session_keeps_its_state_between_calls),
        ("the_host_answers_in_the_middle_of_a_call", the_host_answers_in_the_middle_of_a_call),
        ("a_throw_is_told_with_its_stack", a_throw_is_told_with_its_stack),
        ("a_crash_after_an_answer_is_the_methods_doing", a_crash_after_an_answer_is_the_methods_doing),
        ("a_call_that_never_ends_is_killed", a_call_that_never_ends_is_killed),
        ("the_hosts_time_is_not_the_calls_time", the_hosts_time_is_not_the_calls_time),
        ("a_result_that_is_nested_too_deep_is_an_error", a_result_that_is_nested_too_deep_is_an_error),
        ("a_closed_session_gives_its_worker_back", a_closed_session_gives_its_worker_back),
        ("a_cancelled_call_ends_its_worker", a_cancelled_call_ends_its_worker),
        ("jobs_do_not_wait_for_sessions", jobs_do_not_wait_for_sessions),
        ("a_session_within_a_session_does_not_wait_for_itself", a_session_within_a_session_does_not_wait_for_itself),
        ("sessions_are_bounded", sessions_are_bounded),
    ]
}

/// Answers with the function's name and its first argument; refuses `refuse`.
struct Host;

#[async_trait]
impl MethodHost for Host {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        if call.function == "refuse" {
            return Err("no".to_owned());
        }
        assert_eq!(call.arguments.len(), 2);
        Ok(Json::Array(vec![Json::from(call.function), call.arguments[0].clone()]))
    }
}

async fn open(pool: &Pool, code: &str) -> Result<Box<dyn Session>, RunError> {
    let bundle = LoadedBundle { code: format!("{FAKE}{code}").into(), vendor_files: Vec::new() };
    pool.open(open_model(bundle)).await
}

async fn call(session: &mut dyn Session, method: &str) -> Result<Json, RunError> {
    let path = ["methods".to_owned(), method.to_owned()];
    session.call(unchecked_call(path.to_vec(), Json::from("argument"), Json::from("context")), Arc::new(Host)).await
}

fn fault(error: RunError) -> Fault {
    match error {
        RunError::Fault(fault) => fault,
        other => panic!("no fault: {other}"),
    }
}

fn a_session_keeps_its_state_between_calls() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        assert_eq!(call(session.as_mut(), "echo").await.unwrap().to_string(), r#"[1,"argument","context"]"#);
        assert_eq!(call(session.as_mut(), "echo").await.unwrap().to_string(), r#"[2,"argument","context"]"#);
    });
}

fn the_host_answers_in_the_middle_of_a_call() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let answer = call(session.as_mut(), "ask").await.unwrap().to_string();
        assert_eq!(answer, r#"[["first","argument"],"refused: no",["third","argument"]]"#);
    });
}

fn a_throw_is_told_with_its_stack() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let expected = RunError::Threw { message: "no such method".to_owned(), stack: Some("at line 1".to_owned()) };
        assert_eq!(call(session.as_mut(), "gone").await.unwrap_err(), expected);
        assert!(call(session.as_mut(), "echo").await.is_ok());
        let opened = open(&Pool::new(options(1)), " throw").await;
        assert!(matches!(opened, Err(RunError::Threw { message, .. }) if message == "not today"));
    });
}

fn a_crash_after_an_answer_is_the_methods_doing() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let crash = fault(call(session.as_mut(), "ask and abort").await.unwrap_err());
        assert_eq!((crash.class, crash.code), (FailureClass::Deterministic, Code::WORKER_CRASHED));
        assert!(crash.message.contains("SIGABRT while running methods.ask and abort of a.ts"), "{crash}");
        let after = fault(call(session.as_mut(), "echo").await.unwrap_err());
        assert!(after.message.contains("the session has ended"), "{after}");
    });
}

fn a_call_that_never_ends_is_killed() {
    block_on(async {
        let mut options = options(1);
        options.time_limits.call = SHORT;
        let pool = Pool::new(options);
        let mut session = open(&pool, "").await.unwrap();
        let slow = fault(call(session.as_mut(), "hang").await.unwrap_err());
        assert_eq!((slow.class, slow.code), (FailureClass::Environment, Code::WORKER_TIMED_OUT));
    });
}

/// Takes longer for an answer than a call may last.
struct SlowHost(Duration);

#[async_trait]
impl MethodHost for SlowHost {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        tokio::time::sleep(self.0).await;
        Ok(Json::Null)
    }
}

fn the_hosts_time_is_not_the_calls_time() {
    block_on(async {
        let mut options = options(1);
        let limit = Duration::from_secs(2);
        options.time_limits.call = limit;
        let pool = Pool::new(options);
        let mut session = open(&pool, "").await.unwrap();
        let host = Arc::new(SlowHost(limit));
        // Three answers, each of which takes the whole limit.
        let answer = session.call(unchecked_call(vec!["ask".to_owned()], Json::Null, Json::Null), host).await.unwrap();
        assert_eq!(answer.to_string(), "[null,null,null]");
    });
}

fn a_result_that_is_nested_too_deep_is_an_error() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        assert!(call(session.as_mut(), "deep").await.is_err());
        assert_ne!(pid(&pool).await, 0);
    });
}

fn a_closed_session_gives_its_worker_back() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let worker = call(session.as_mut(), "pid").await.unwrap().as_integer();
        drop(session);
        until("the worker is back", || pool.idle_workers() == 1).await;
        assert_eq!(Some(i64::from(pid(&pool).await)), worker);
        let mut again = open(&pool, "").await.unwrap();
        assert_eq!(call(again.as_mut(), "echo").await.unwrap().as_array().unwrap()[0], Json::from(1));
    });
}

fn a_cancelled_call_ends_its_worker() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let worker = call(session.as_mut(), "pid").await.unwrap().as_integer().unwrap();
        assert!(tokio::time::timeout(SHORT, call(session.as_mut(), "hang")).await.is_err());
        until("the worker ends", || has_ended(u32::try_from(worker).unwrap())).await;
    });
}

fn jobs_do_not_wait_for_sessions() {
    block_on(async {
        let pool = Pool::new(options(1));
        let session = open(&pool, "").await.unwrap();
        tokio::time::timeout(PATIENCE, pid(&pool)).await.unwrap();
        drop(session);
    });
}

/// Opens a session of its own for every answer.
struct NestingHost(Pool);

#[async_trait]
impl MethodHost for NestingHost {
    async fn call(&self, _call: HostCall) -> Result<Json, String> {
        let mut inner = open(&self.0, "").await.map_err(|error| error.to_string())?;
        call(inner.as_mut(), "echo").await.map_err(|error| error.to_string())
    }
}

fn a_session_within_a_session_does_not_wait_for_itself() {
    block_on(async {
        let pool = Pool::new(options(1));
        let mut session = open(&pool, "").await.unwrap();
        let host = Arc::new(NestingHost(pool.clone()));
        let path = ["ask".to_owned()];
        let outer = session.call(unchecked_call(path.to_vec(), Json::Null, Json::Null), host);
        let answer = tokio::time::timeout(PATIENCE, outer).await.unwrap().unwrap();
        assert!(answer.to_string().contains("argument"), "{answer}");
    });
}

fn sessions_are_bounded() {
    block_on(async {
        let pool = Pool::new(options(1));
        let first = open(&pool, "").await.unwrap();
        let mut second = std::pin::pin!(open(&pool, ""));
        assert!(tokio::time::timeout(SHORT, second.as_mut()).await.is_err(), "two sessions in one place");
        drop(first);
        tokio::time::timeout(PATIENCE, second).await.unwrap().unwrap();
    });
}
