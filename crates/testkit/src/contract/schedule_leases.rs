//! What every `ScheduleLeases` must do.

use std::sync::Arc;

use mangrove_domain::{
    ports::{ClaimAnswer, GivenUp, ScheduleClaim, ScheduleLeases, ScheduledInstant},
    time::Timestamp,
};

/// Runs every case on fresh leases.
///
/// # Panics
/// If they break the contract.
pub async fn schedule_leases<L: ScheduleLeases + 'static>(factory: impl AsyncFn() -> L) {
    gives_an_instant_to_one_holder(factory().await).await;
    gives_an_instant_to_one_of_many(factory().await).await;
    knows_the_latest(factory().await).await;
    forgets_what_is_old(factory().await).await;
    gives_what_was_given_up_to_others(factory().await).await;
    gives_nobody_what_was_given_up_for_good(factory().await).await;
    is_for_the_run_that_was_asked_for_last(factory().await).await;
}

fn claim(workflow: &str, instant: i64, holder: &str) -> ScheduleClaim {
    ScheduleClaim {
        workflow: workflow.to_owned(),
        instant: Timestamp::from_millis(instant),
        holder: holder.to_owned(),
        run: format!("{workflow}-{instant}-{holder}"),
        may_overlap: true,
        most_at_once: None,
        at: Timestamp::from_millis(instant + 5),
    }
}

async fn ask(leases: &impl ScheduleLeases, workflow: &str, instant: i64, holder: &str) -> bool {
    match leases.claim(&claim(workflow, instant, holder)).await.expect("leases") {
        ClaimAnswer::Given => true,
        ClaimAnswer::Elsewhere => false,
        ClaimAnswer::Overlaps | ClaimAnswer::Full => panic!("as many runs may go on as there are"),
    }
}

async fn gives_an_instant_to_one_holder(leases: impl ScheduleLeases) {
    assert!(ask(&leases, "w", 1_000, "one").await);
    assert!(!ask(&leases, "w", 1_000, "two").await, "fault 38");
    assert!(ask(&leases, "w", 1_000, "one").await, "it may not have heard the answer");
    assert!(ask(&leases, "w", 2_000, "two").await, "another instant");
    assert!(ask(&leases, "v", 1_000, "two").await, "another workflow");
}

async fn gives_an_instant_to_one_of_many(leases: impl ScheduleLeases + 'static) {
    let leases = Arc::new(leases);
    for instant in 0..10 {
        let asking: Vec<_> = (0..8)
            .map(|holder| {
                let leases = Arc::clone(&leases);
                tokio::spawn(async move { ask(&*leases, "w", instant, &format!("holder-{holder}")).await })
            })
            .collect();
        let mut winners = 0;
        for one in asking {
            winners += usize::from(one.await.expect("no panic"));
        }
        assert_eq!(winners, 1);
    }
}

async fn latest(leases: &impl ScheduleLeases) -> Vec<(String, i64)> {
    let latest = leases.latest().await.expect("leases");
    latest.into_iter().map(|(workflow, instant)| (workflow, instant.as_millis())).collect()
}

async fn knows_the_latest(leases: impl ScheduleLeases) {
    assert!(latest(&leases).await.is_empty());
    for (workflow, instant) in [("w", 1_000), ("w", 3_000), ("w", 2_000), ("v", 500)] {
        ask(&leases, workflow, instant, "one").await;
    }
    let mut latest = latest(&leases).await;
    latest.sort_unstable();
    assert_eq!(latest, [("v".to_owned(), 500), ("w".to_owned(), 3_000)]);
}

async fn forgets_what_is_old(leases: impl ScheduleLeases) {
    for (workflow, instant) in [("w", 1_000), ("w", 2_000), ("w", 3_000), ("v", 500)] {
        ask(&leases, workflow, instant, "one").await;
    }
    let sweep = async |before| leases.sweep(Timestamp::from_millis(before)).await.expect("leases");
    assert_eq!(sweep(1_005).await, 0, "claimed at that very time");
    assert_eq!(sweep(2_000).await, 1, "but not the only one of a workflow");
    assert!(!ask(&leases, "w", 2_000, "two").await, "what is not old is kept");
    assert_eq!(sweep(i64::MAX).await, 1);
    let mut latest = latest(&leases).await;
    latest.sort_unstable();
    assert_eq!(latest, [("v".to_owned(), 500), ("w".to_owned(), 3_000)], "what fired last is known for ever");
}

/// What is there to be taken over, by workflow and instant.
pub(super) async fn abandoned(leases: &impl ScheduleLeases, since: i64) -> Vec<(String, i64)> {
    let abandoned = leases.abandoned(Timestamp::from_millis(since)).await.expect("leases");
    abandoned.into_iter().map(|claim| (claim.workflow, claim.instant.as_millis())).collect()
}

/// Those of these instants of the workflow `w` that nobody else gets.
pub(super) async fn taken(leases: &impl ScheduleLeases, instants: &[i64]) -> Vec<i64> {
    let asked =
        |instant: &i64| ScheduledInstant { instant: Timestamp::from_millis(*instant), workflow: "w".to_owned() };
    let asked: Vec<ScheduledInstant> = instants.iter().map(asked).collect();
    let taken = leases.taken(&asked).await.expect("leases");
    let mut taken: Vec<i64> = taken.into_iter().map(|instant| instant.instant.as_millis()).collect();
    taken.sort_unstable();
    taken
}

async fn gives_what_was_given_up_to_others(leases: impl ScheduleLeases) {
    for instant in [1_000, 2_000, 3_000] {
        assert!(ask(&leases, "w", instant, "one").await);
    }
    assert_eq!(abandoned(&leases, 0).await, [], "its holder lives");
    for instant in [2_000, 1_000] {
        leases.give_up(&claim("w", instant, "two"), GivenUp::ForOthers).await.expect("leases");
        assert!(!ask(&leases, "w", instant, "two").await, "it was not two's to give up");
        leases.give_up(&claim("w", instant, "one"), GivenUp::ForOthers).await.expect("leases");
    }
    assert_eq!(abandoned(&leases, 0).await, [("w".to_owned(), 1_000), ("w".to_owned(), 2_000)]);
    assert_eq!(abandoned(&leases, 1_001).await, [("w".to_owned(), 2_000)]);
    assert_eq!(taken(&leases, &[1_000, 2_000, 3_000, 4_000]).await, [3_000], "the others may be claimed");
    assert!(ask(&leases, "w", 1_000, "two").await);
    assert!(!ask(&leases, "w", 1_000, "three").await, "one takes it over");
    assert!(!ask(&leases, "w", 1_000, "one").await, "it has given it up");
    assert!(ask(&leases, "w", 2_000, "one").await, "it may try again");
    assert_eq!(abandoned(&leases, 0).await, []);
}

async fn gives_nobody_what_was_given_up_for_good(leases: impl ScheduleLeases) {
    assert!(ask(&leases, "w", 1_000, "one").await);
    leases.give_up(&claim("w", 1_000, "one"), GivenUp::ForGood).await.expect("leases");
    assert_eq!(abandoned(&leases, 0).await, []);
    assert!(!ask(&leases, "w", 1_000, "two").await);
    assert_eq!(taken(&leases, &[1_000]).await, [1_000]);
}

/// A holder that did not hear the answer, and asks for another run, gets it: the first one will not begin.
async fn is_for_the_run_that_was_asked_for_last(leases: impl ScheduleLeases) {
    let again = ScheduleClaim { run: "another-run".to_owned(), ..claim("w", 1_000, "one") };
    assert!(ask(&leases, "w", 1_000, "one").await);
    assert_eq!(leases.claim(&again).await.expect("leases"), ClaimAnswer::Given);
    assert!(!ask(&leases, "w", 1_000, "two").await);
    leases.give_up(&again, GivenUp::ForGood).await.expect("leases");
    assert_eq!(leases.claim(&again).await.expect("leases"), ClaimAnswer::Elsewhere, "nobody starts it");
}
