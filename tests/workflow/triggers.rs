//! Runs that start by themselves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mangrove_app::{
    service::{RunError, StartTriggered},
    workflow::StartError,
};
use mangrove_domain::{
    ports::RunFilter,
    problem::Code,
    run::{RunRecord, RunStatus},
};

use crate::{bench::within, service::World};

/// Longer than the clock of any file system needs to go on.
const PATIENCE: Duration = Duration::from_secs(10);

fn workflow(number: usize, method: &str) -> String {
    format!(
        "id: 00000000-0000-4000-8000-1{number:011}\nname: w{number}\ntrigger: {{ schedule: '@daily' }}\n\
         jobs:\n  - name: only\n    steps:\n      - name: work\n        \
         task: {{type: model_method, modelIdOrName: thing, methodName: {method}}}\n"
    )
}

async fn record(world: &World, name: &str) -> Result<Arc<RunRecord>, RunError> {
    let start = StartTriggered {
        workflow: name.to_owned(),
        trigger: "schedule".to_owned(),
        webhook: None,
        last_good: None,
        run: None,
    };
    let started = within(world.service.start_triggered(start)).await?;
    Ok(within(started.run.wait()).await.expect("a record"))
}

async fn run(world: &World, name: &str) -> Result<RunStatus, RunError> {
    Ok(record(world, name).await?.status)
}

/// Starts a run until it opens nothing any more.
async fn settle(world: &World, name: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        world.files.take();
        run(world, name).await.expect("it begins");
        let (opened, listed) = world.files.take();
        if (opened, listed) == (0, 0) {
            return;
        }
        assert!(Instant::now() < end, "a start opens {opened} files and makes {listed} lists, again and again");
    }
}

#[tokio::test]
async fn a_start_opens_only_what_has_changed_and_sees_every_change() {
    let world = World::new();
    for number in 0..200 {
        world.tree.write(&format!("workflows/w{number}.yaml"), workflow(number, "work")).expect("written");
    }
    settle(&world, "w7").await;

    // Of the same size: the method of this name panics.
    world.tree.write("workflows/w7.yaml", workflow(7, "work").replace("name: work", "name: next")).expect("written");
    let library = world.service.library().await.expect("a library");
    let step = &library.workflow("w7").expect("it is there").jobs[0].steps[0];
    assert_eq!(step.name.value, "next");
    assert_eq!(world.files.take(), (1, 0), "one file changed");
    settle(&world, "w7").await;

    let before = world.service.library().await.expect("a library");
    assert!(Arc::ptr_eq(&before, &world.service.library().await.expect("a library")), "nothing was made anew");
    world
        .tree
        .write("models/other.yaml", "id: 00000000-0000-4000-8000-000000000077\nname: other\ntype: '@acme/thing'\n")
        .expect("written");
    let after = world.service.library().await.expect("a library");
    assert!(after.definition("other").is_ok() && before.definition("other").is_err());
    let (opened, listed) = world.files.take();
    assert_eq!((opened, listed), (1, 1), "one definition is new");

    world.tree.write("workflows/w8.yaml", workflow(7, "work")).expect("written");
    let error = run(&world, "w7").await.expect_err("another file took its name");
    let RunError::Unknown { problem, .. } = error else { panic!("{error}") };
    assert_eq!(problem.code, Code::AMBIGUOUS_NAME);
}

#[tokio::test]
async fn where_changes_are_told_a_start_looks_at_what_its_run_goes_by_and_at_nothing_else() {
    let world = World::new();
    for number in 0..200 {
        world.tree.write(&format!("workflows/w{number}.yaml"), workflow(number, "work")).expect("written");
    }
    world.service.watch_library(true);
    settle(&world, "w7").await;
    world.files.take_looked_at();
    run(&world, "w7").await.expect("it begins");
    assert_eq!(world.files.take_looked_at(), ["models/thing.yaml", "workflows/w7.yaml"]);
    run(&world, "outer").await.expect("it begins");
    let reached = ["models/thing.yaml", "workflows/inner.yaml", "workflows/outer.yaml"];
    assert_eq!(world.files.take_looked_at(), reached, "what a step calls, and what that names");

    // Nobody tells of this in time, and it is seen.
    world.tree.write("workflows/w7.yaml", workflow(7, "work").replace("name: work", "name: next")).expect("written");
    let run_of_it = record(&world, "w7").await.expect("it begins");
    assert_eq!(run_of_it.jobs[0].steps[0].name, "next");
    settle(&world, "w7").await;

    // Of what the run does not go by, it is seen once it is told.
    world.tree.write("workflows/w8.yaml", workflow(7, "work")).expect("written");
    run(&world, "w7").await.expect("w8 is none of its files");
    world.service.library_changed();
    let error = run(&world, "w7").await.expect_err("another file took its name");
    let RunError::Unknown { problem, .. } = error else { panic!("{error}") };
    assert_eq!(problem.code, Code::AMBIGUOUS_NAME);
    world.tree.write("workflows/w8.yaml", workflow(8, "work")).expect("written");
    world.service.library_changed();
    settle(&world, "w7").await;

    // What comes into being shows in its directory, whether it is told or not.
    world.tree.write("workflows/w500.yaml", workflow(7, "work")).expect("written");
    run(&world, "w7").await.expect_err("another file has its name");
}

#[tokio::test]
async fn where_changes_are_not_told_any_more_every_file_is_looked_at() {
    let world = World::new();
    world.tree.write("workflows/w1.yaml", workflow(1, "work")).expect("written");
    world.service.watch_library(true);
    settle(&world, "w1").await;
    world.service.watch_library(false);
    world.tree.write("workflows/outer.yaml", workflow(1, "work")).expect("written");
    run(&world, "w1").await.expect_err("another file took its name");
}

#[tokio::test]
async fn a_name_that_is_known_only_when_it_runs_may_be_in_any_file() {
    let world = World::new();
    let text = workflow(1, "work").replace("modelIdOrName: thing", "modelIdOrName: '${{ \"thing\" }}'");
    world.tree.write("workflows/w1.yaml", text).expect("written");
    world.service.watch_library(true);
    settle(&world, "w1").await;
    world.files.take_looked_at();
    run(&world, "w1").await.expect("it begins");
    assert!(world.files.take_looked_at().contains(&"workflows/outer.yaml".to_owned()));
}

#[tokio::test]
async fn what_expressions_find_may_be_in_any_file() {
    let world = World::new();
    let assertion = "      - name: look\n        \
         task: {type: assert, expr: \"model.thing.definition.name == 'thing'\", message: another}\n";
    world.tree.write("workflows/w1.yaml", workflow(1, "work") + assertion).expect("written");
    world.service.watch_library(true);
    settle(&world, "w1").await;
    world.files.take_looked_at();
    run(&world, "w1").await.expect("it begins");
    assert!(world.files.take_looked_at().contains(&"workflows/outer.yaml".to_owned()));
}

#[tokio::test]
async fn what_changes_between_preparing_a_run_and_its_start_is_what_runs() {
    for is_told in [true, false] {
        let world = World::new();
        world.tree.write("workflows/w1.yaml", workflow(1, "work")).expect("written");
        world.service.watch_library(is_told);
        let start = StartTriggered {
            workflow: "w1".to_owned(),
            trigger: "schedule".to_owned(),
            webhook: None,
            last_good: None,
            run: None,
        };
        let prepared = world.service.prepare_triggered(start).await.expect("it is in order");
        let text = workflow(1, "work").replace("name: work", "name: afterwards");
        world.tree.write("workflows/w1.yaml", text).expect("written");
        if is_told {
            world.service.library_changed();
        }
        let started = within(world.service.start_prepared(prepared)).await.expect("it begins");
        let record = within(started.run.wait()).await.expect("a record");
        assert_eq!(record.jobs[0].steps[0].name, "afterwards", "told: {is_told}");
    }
}

#[tokio::test]
async fn what_is_written_in_the_same_instant_as_it_was_read_is_what_runs() {
    let world = World::new();
    for number in 100..400 {
        let name = format!("name: step{number}\n");
        let text = workflow(1, "work").replace("name: work\n", &name);
        world.tree.write("workflows/w1.yaml", text).expect("written");
        let library = world.service.library().await.expect("a library");
        let workflow = library.workflow("w1").expect("it is there");
        assert_eq!(workflow.jobs[0].steps[0].name.value, format!("step{number}"));
    }
}

#[tokio::test]
async fn a_run_that_starts_by_itself_is_held_against_what_is_known_before() {
    let world = World::new();
    world.tree.write("workflows/w1.yaml", workflow(1, "wrok")).expect("written");
    let RunError::Start(StartError::Problems(problems)) = run(&world, "w1").await.expect_err("there is no such method")
    else {
        panic!("it is refused for what is wrong with it")
    };
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.code, problem.subject.as_str()), (Code::UNKNOWN_METHOD, "workflows/w1.yaml"));
    assert!(problem.message.contains("`wrok`"), "{}", problem.message);
    assert_eq!(world.service.runs(&RunFilter::default()).await.expect("a history"), []);
}
