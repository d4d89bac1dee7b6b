//! What histories of runs and their leases must do where several processes share them.

use std::time::Duration;

use mangrove_domain::{
    ports::{CancellationRequest, ClaimAnswer, RunStore, ScheduleClaim, ScheduleLeases},
    run::{RunRecord, RunStatus},
    time::Timestamp,
};

use super::{
    run_store::full_record,
    schedule_leases::{abandoned, taken},
};

/// Runs every case on two histories of two processes over one fresh store. Dropping one ends its process, as far as the other can
/// see after `until_gone`.
///
/// # Panics
/// If they break the contract.
#[expect(clippy::module_name_repetitions, reason = "the name by which tests know it")]
pub async fn leases_of_two_processes<S: RunStore + ScheduleLeases>(
    factory: impl AsyncFn() -> (S, S),
    until_gone: Duration,
) {
    takes_over_what_did_not_begin(factory().await, until_gone).await;
    leaves_alone_what_has_begun(factory().await, until_gone).await;
    keeps_runs_of_a_workflow_apart(factory().await, until_gone).await;
    keeps_to_the_number_that_may_go_on_at_once(factory().await, until_gone).await;
    brings_a_cancellation_to_the_process_of_the_run(factory().await, until_gone).await;
}

/// A claim of this holder for a run that may overlap with others of the workflow `w`.
#[must_use]
pub fn claim(instant: i64, holder: &str) -> ScheduleClaim {
    ScheduleClaim {
        workflow: "w".to_owned(),
        instant: Timestamp::from_millis(instant),
        holder: holder.to_owned(),
        run: format!("{holder}-{instant}"),
        may_overlap: true,
        most_at_once: None,
        at: Timestamp::from_millis(instant + 5),
    }
}

fn apart(instant: i64, holder: &str) -> ScheduleClaim {
    ScheduleClaim { may_overlap: false, ..claim(instant, holder) }
}

async fn ask(leases: &impl ScheduleLeases, claim: ScheduleClaim) -> ClaimAnswer {
    leases.claim(&claim).await.expect("leases")
}

/// A record of a run that goes on.
#[must_use]
pub fn running(id: &str) -> RunRecord {
    RunRecord { status: RunStatus::Running, finished_at: None, ..full_record(id) }
}

/// A record of a run that succeeded.
#[must_use]
pub fn ended(id: &str) -> RunRecord {
    RunRecord { status: RunStatus::Succeeded, ..full_record(id) }
}

async fn takes_over_what_did_not_begin<S: RunStore + ScheduleLeases>((one, two): (S, S), until_gone: Duration) {
    assert_eq!(ask(&one, claim(1_000, "one")).await, ClaimAnswer::Given);
    assert_eq!(ask(&two, claim(1_000, "two")).await, ClaimAnswer::Elsewhere);
    assert_eq!(abandoned(&two, 0).await, [], "its holder lives");
    assert_eq!(taken(&two, &[1_000, 2_000]).await, [1_000]);
    drop(one);
    tokio::time::sleep(until_gone).await;
    assert_eq!(abandoned(&two, 0).await, [("w".to_owned(), 1_000)]);
    assert_eq!(abandoned(&two, 1_001).await, []);
    assert!(taken(&two, &[1_000]).await.is_empty(), "anybody may have it now");
    assert_eq!(ask(&two, claim(1_000, "two")).await, ClaimAnswer::Given);
    assert_eq!(ask(&two, claim(1_000, "three")).await, ClaimAnswer::Elsewhere);
    assert_eq!(abandoned(&two, 0).await, []);
    two.save(&running("two-1000")).await.expect("saved");
    assert!(two.get("two-1000").await.expect("looked").found().is_some());
}

async fn leaves_alone_what_has_begun<S: RunStore + ScheduleLeases>((one, two): (S, S), until_gone: Duration) {
    for instant in [1_000, 2_000] {
        assert_eq!(ask(&one, claim(instant, "one")).await, ClaimAnswer::Given);
        one.save(&running(&format!("one-{instant}"))).await.expect("saved");
    }
    one.save(&ended("one-2000")).await.expect("saved");
    let status = async |id: &str| two.get(id).await.expect("looked").found().expect("there").status;
    assert_eq!(status("one-1000").await, RunStatus::Running);
    drop(one);
    tokio::time::sleep(until_gone).await;
    assert_eq!(status("one-1000").await, RunStatus::Interrupted);
    assert_eq!(status("one-2000").await, RunStatus::Succeeded);
    assert_eq!(abandoned(&two, 0).await, [], "their runs are on record");
    assert_eq!(taken(&two, &[1_000, 2_000]).await, [1_000, 2_000], "they have begun");
    for instant in [1_000, 2_000] {
        assert_eq!(ask(&two, claim(instant, "two")).await, ClaimAnswer::Elsewhere);
    }
    assert!(two.forget(Timestamp::from_millis(i64::MAX)).await.expect("forgotten") > 0);
    assert_eq!(two.get("one-2000").await.expect("looked").found(), None);
    assert_eq!(abandoned(&two, 0).await, [], "a run that is forgotten was there");
}

async fn keeps_runs_of_a_workflow_apart<S: RunStore + ScheduleLeases>((one, two): (S, S), until_gone: Duration) {
    assert_eq!(ask(&one, apart(1_000, "one")).await, ClaimAnswer::Given);
    assert_eq!(ask(&two, apart(2_000, "two")).await, ClaimAnswer::Overlaps, "it is about to begin");
    assert_eq!(ask(&two, claim(2_500, "two")).await, ClaimAnswer::Given, "they may overlap");
    two.save(&ended("two-2500")).await.expect("saved");
    one.save(&running("one-1000")).await.expect("saved");
    assert_eq!(ask(&two, apart(2_000, "two")).await, ClaimAnswer::Overlaps, "it goes on");
    assert_eq!(ask(&one, apart(2_000, "one")).await, ClaimAnswer::Overlaps, "also where it goes on");
    assert_eq!(ask(&one, apart(1_000, "one")).await, ClaimAnswer::Given, "not with itself");
    one.save(&ended("one-1000")).await.expect("saved");
    assert_eq!(ask(&two, apart(2_000, "two")).await, ClaimAnswer::Given);
    two.save(&ended("two-2000")).await.expect("saved");
    assert_eq!(ask(&one, apart(3_000, "one")).await, ClaimAnswer::Given);
    one.save(&running("one-3000")).await.expect("saved");
    drop(one);
    tokio::time::sleep(until_gone).await;
    assert_eq!(ask(&two, apart(4_000, "two")).await, ClaimAnswer::Given, "nobody goes on with it");
}

async fn keeps_to_the_number_that_may_go_on_at_once<S: RunStore + ScheduleLeases>(
    (one, two): (S, S),
    until_gone: Duration,
) {
    let of = |workflow: &str, instant, holder: &str| ScheduleClaim {
        workflow: workflow.to_owned(),
        run: format!("{holder}-{workflow}-{instant}"),
        most_at_once: Some(2),
        ..claim(instant, holder)
    };
    assert_eq!(ask(&one, of("v", 1_000, "one")).await, ClaimAnswer::Given);
    assert_eq!(ask(&two, of("w", 1_000, "two")).await, ClaimAnswer::Given);
    for (store, holder) in [(&one, "one"), (&two, "two")] {
        assert_eq!(ask(store, of("u", 1_000, holder)).await, ClaimAnswer::Full, "both are about to begin");
    }
    assert_eq!(ask(&one, of("v", 1_000, "one")).await, ClaimAnswer::Given, "it is one of them");
    assert_eq!(ask(&two, claim(2_000, "two")).await, ClaimAnswer::Given, "who knows no limit is not held up");
    two.save(&ended("two-2000")).await.expect("saved");
    one.save(&running("one-v-1000")).await.expect("saved");
    two.save(&running("two-w-1000")).await.expect("saved");
    assert_eq!(ask(&two, of("u", 1_000, "two")).await, ClaimAnswer::Full, "both go on");
    two.save(&ended("two-w-1000")).await.expect("saved");
    assert_eq!(ask(&two, of("u", 1_000, "two")).await, ClaimAnswer::Given, "one has ended");
    assert_eq!(ask(&two, of("u", 2_000, "two")).await, ClaimAnswer::Full);
    drop(one);
    tokio::time::sleep(until_gone).await;
    assert_eq!(ask(&two, of("u", 2_000, "two")).await, ClaimAnswer::Given, "nobody goes on with the other");
}

async fn brings_a_cancellation_to_the_process_of_the_run<S: RunStore + ScheduleLeases>(
    (one, two): (S, S),
    until_gone: Duration,
) {
    let request =
        |reason: Option<&str>| CancellationRequest { run: "01".to_owned(), reason: reason.map(str::to_owned) };
    let ask = async |from: &S, reason| from.request_cancellation(&request(reason)).await.expect("asked");
    let requested = async |of: &S| of.requested_cancellations().await.expect("looked");
    assert!(!ask(&two, None).await, "there is no such run");
    one.save(&running("01")).await.expect("saved");
    assert_eq!(requested(&one).await, []);
    assert!(ask(&two, Some("it takes too long")).await);
    assert!(ask(&two, None).await, "it was asked for");
    assert_eq!(requested(&one).await, [request(Some("it takes too long"))], "the first reason stays");
    assert_eq!(requested(&two).await, [], "it is not two's run");
    one.save(&ended("01")).await.expect("saved");
    assert_eq!(requested(&one).await, []);
    assert!(!ask(&two, None).await, "it has ended");
    one.save(&running("01")).await.expect("saved");
    assert_eq!(requested(&one).await, [], "what was asked of an earlier life is over");
    drop(one);
    tokio::time::sleep(until_gone).await;
    assert!(!ask(&two, None).await, "nobody has it");
}
