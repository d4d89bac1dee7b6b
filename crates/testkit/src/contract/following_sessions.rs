//! Sessions that follow each other: what one may find of another, whoever runs them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    bundle::LoadedBundle,
    json::Json,
    permission::{Grant, Permission},
    ports::{Call, HostCall, Member, MethodHost, MethodRunner, OpenRequest, RunError, Takes},
};

use crate::requests::{open_model, unchecked_call};

const CODE: &str = "let count = 0;
    let kept;
    export const model = {
        async next() { return count += 1; },
        async fail() { count += 1; throw new Error('as asked'); },
        async leave() { count += 1; setTimeout(() => {}, 600000); return count; },
        async keep(_args, ctx) {
            kept ??= ctx;
            kept.logger.info('still heard');
            const attempt = async (work) => { try { return await work(); } catch (error) { return error.message; } };
            return [
                await attempt(() => kept.readModelData('it')),
                await attempt(() => kept.dataRepository.listVersionsSync('t', 'm', 'n')),
            ];
        },
        createProvider: () => { const own = {}; return { put: async (key) => { own[key] = 1; }, keys: async () => Object.keys(own) }; },
    };";

/// How many sessions follow one until one of them must have found what it remembers. Each may have to begin anew: what is
/// kept is no promise.
const ATTEMPTS: usize = 20;

/// Sessions of one runner.
struct Sessions<'a> {
    runner: &'a dyn MethodRunner,
    /// Nobody else runs this code.
    code: String,
    host: Arc<Host>,
}

impl Sessions<'_> {
    fn of<'a>(runner: &'a dyn MethodRunner, name: &str, tells_secrets: bool) -> Sessions<'a> {
        let host = Arc::new(Host { tells_secrets, lines: Mutex::default() });
        Sessions { runner, code: format!("{CODE} // {name}"), host }
    }

    fn request(&self) -> OpenRequest {
        open_model(LoadedBundle { code: self.code.as_str().into(), vendor_files: Vec::new() })
    }

    /// A session with one call.
    async fn call(&self, request: OpenRequest, method: &str) -> Result<Json, RunError> {
        let mut session = self.runner.open(request).await?;
        let call = unchecked_call(vec![method.to_owned()], Json::Null, Json::Object(Vec::new()));
        session.call(call, Arc::clone(&self.host) as _).await
    }

    async fn count(&self, request: &OpenRequest) -> i64 {
        let counted = self.call(request.clone(), "next").await.expect("it counts");
        counted.as_integer().expect("a number")
    }
}

/// What the port says of sessions that follow each other.
pub(super) async fn follow_each_other(runner: &dyn MethodRunner) {
    a_module_may_be_found_as_it_was_left(runner).await;
    what_differs_is_never_found(runner).await;
    what_did_not_go_well_is_never_found(runner).await;
    secrets_stay_in_their_run(runner).await;
    a_context_is_good_for_its_call(runner).await;
    a_provider_is_that_of_its_session(runner).await;
}

async fn a_module_may_be_found_as_it_was_left(runner: &dyn MethodRunner) {
    let counts = counts(runner, "alike").await;
    for (before, count) in counts.iter().zip(&counts[1..]) {
        assert!([1, before + 1].contains(count), "a session goes on or begins anew: {counts:?}");
    }
}

/// What sessions with the same request, one after the other, count in their module.
async fn counts(runner: &dyn MethodRunner, name: &str) -> Vec<i64> {
    let sessions = Sessions::of(runner, name, false);
    let mut counts = Vec::new();
    for _ in 0..ATTEMPTS {
        counts.push(sessions.count(&sessions.request()).await);
    }
    counts
}

/// What a [`MethodRunner`] does besides that keeps modules for further sessions.
///
/// # Panics
/// If no session finds what the one before it remembered.
pub async fn kept_modules(runner: &dyn MethodRunner) {
    let counts = counts(runner, "kept").await;
    assert!(counts.iter().any(|count| *count > 1), "no session found what the one before remembered: {counts:?}");
}

async fn what_differs_is_never_found(runner: &dyn MethodRunner) {
    let sessions = Sessions::of(runner, "different", false);
    let base = sessions.request();
    let change = |change: &dyn Fn(&mut OpenRequest)| {
        let mut request = base.clone();
        change(&mut request);
        request
    };
    let granted = |name: &str| Grant::Only(vec![name.to_owned()]);
    let requests = [
        base.clone(),
        change(&|it| drop(it.grantee.grants.insert(Permission::Env, granted("A")))),
        change(&|it| drop(it.grantee.grants.insert(Permission::Env, granted("B")))),
        change(&|it| it.grantee.variables = BTreeMap::from([("A".to_owned(), "1".to_owned())])),
        change(&|it| "@acme/other".clone_into(&mut it.grantee.name)),
        change(&|it| it.bundle.code = format!("{} ", it.bundle.code).into()),
    ];
    for request in &requests {
        assert_eq!(sessions.count(request).await, 1, "{:?}", request.grantee);
    }
}

async fn what_did_not_go_well_is_never_found(runner: &dyn MethodRunner) {
    for method in ["fail", "leave", "none"] {
        let sessions = Sessions::of(runner, method, false);
        for _ in 0..3 {
            let _ = sessions.call(sessions.request(), method).await;
            let mut session = runner.open(sessions.request()).await.expect("it opens");
            let next = unchecked_call(vec!["next".to_owned()], Json::Null, Json::Object(Vec::new()));
            let counted = session.call(next, Arc::clone(&sessions.host) as _).await;
            assert_eq!(counted, Ok(Json::from(1)), "after `{method}`");
            // So that the next round finds nothing of this one either.
            let fail = unchecked_call(vec!["fail".to_owned()], Json::Null, Json::Object(Vec::new()));
            session.call(fail, Arc::clone(&sessions.host) as _).await.expect_err("a throw is an error");
        }
    }
}

async fn secrets_stay_in_their_run(runner: &dyn MethodRunner) {
    let sessions = Sessions::of(runner, "secrets", true);
    for run in 0..3 {
        let request = OpenRequest { run: format!("run {run}"), ..sessions.request() };
        assert_eq!(sessions.count(&request).await, 1, "what only another run masks is not found");
        assert!(sessions.count(&request).await >= 1);
    }
}

async fn a_context_is_good_for_its_call(runner: &dyn MethodRunner) {
    let sessions = Sessions::of(runner, "context", false);
    let mut session = runner.open(sessions.request()).await.expect("it opens");
    let mut keep = async || {
        let call = unchecked_call(vec!["keep".to_owned()], Json::Null, Json::Object(Vec::new()));
        session.call(call, Arc::clone(&sessions.host) as _).await.expect("it is told")
    };
    assert_eq!(keep().await.to_string(), "[null,null]");
    sessions.host.taken();
    let late = "was used after the call had ended";
    let told = keep().await.to_string();
    assert!(told.contains(&format!("ctx.readModelData {late}")), "{told}");
    assert!(told.contains(&format!("ctx.data.listVersions {late}")), "{told}");
    assert_eq!(sessions.host.taken(), ["log"], "a logger is as good as any");
}

async fn a_provider_is_that_of_its_session(runner: &dyn MethodRunner) {
    let sessions = Sessions::of(runner, "provider", false);
    for _ in 0..3 {
        let mut session = runner.open(sessions.request()).await.expect("it opens");
        let mut member = async |name: &str, arguments: Vec<Json>| {
            let takes = Takes::Member(Member { name: name.to_owned(), arguments });
            let call = unchecked_call(vec!["createProvider".to_owned()], Json::Array(Vec::new()), Json::Null);
            session.call(Call { takes, ..call }, Arc::clone(&sessions.host) as _).await.expect("it is there")
        };
        assert_eq!(member("keys", Vec::new()).await.to_string(), "[]", "nothing of an earlier session");
        member("put", vec![Json::from("a")]).await;
        assert_eq!(member("keys", Vec::new()).await.to_string(), r#"["a"]"#);
    }
}

/// Answers with nothing.
struct Host {
    tells_secrets: bool,
    lines: Mutex<Vec<String>>,
}

impl Host {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl MethodHost for Host {
    async fn call(&self, call: HostCall) -> Result<Json, String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(call.function);
        Ok(Json::Null)
    }

    fn told_secrets(&self, _granted: &BTreeMap<String, String>) -> bool {
        self.tells_secrets
    }
}
