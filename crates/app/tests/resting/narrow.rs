//! A question about one source or type reads what it is about, and its answer is the one that a look at everything gives.

use mangrove_app::{
    attachment, catalogue,
    scan::{RetryMode, ScanRequest, Scanner},
    source_query::SourceQuery,
    why,
};
use mangrove_domain::{index::TypeIndex, plan::Step, problem::Problem, row::Row};

use crate::world::{World, model};

/// Asks about a path and a type in every way, and about everything, and compares.
pub(crate) async fn compare(world: &World, what: &str, texts: &[String]) {
    let scanner = world.another_process();
    for text in texts {
        let query = SourceQuery::new(text.as_str(), []);
        let (steps, rows, remarks) = explained(&scanner, &query).await;
        let (planned, known, said) = planned(&scanner, &query).await;
        assert_eq!(steps, planned, "{what}: the steps of {text}");
        assert_eq!(rows, known, "{what}: the rows of {text}");
        for remark in said {
            assert!(remarks.contains(&remark), "{what}: {text}: {remark:?} is said");
        }
        let found = catalogue::find(&scanner, text, None).await.expect("a catalog");
        let index = scanner.load().await.expect("a catalog");
        let of_all = catalogue::find_in(&scanner, &index, text, None).await.expect("a catalog");
        assert_eq!(format!("{found:#?}"), format!("{of_all:#?}"), "{what}: the type {text}");
    }
}

async fn explained(scanner: &Scanner, query: &SourceQuery) -> (Vec<Step>, Vec<Option<Row>>, Vec<Problem>) {
    let answer = why::explain(scanner, query).await.expect("an answer");
    let rows = answer.explanations.iter().map(|explained| explained.row.as_deref().cloned()).collect();
    let remarks = answer.explanations.iter().flat_map(|explained| explained.remarks.clone()).collect();
    (answer.explanations.into_iter().map(|explained| explained.step).collect(), rows, remarks)
}

/// The same out of a plan of everything.
async fn planned(scanner: &Scanner, query: &SourceQuery) -> (Vec<Step>, Vec<Option<Row>>, Vec<Problem>) {
    let request = ScanRequest { retry: RetryMode::All, ..ScanRequest::dry_run() };
    let observed = scanner.look(&request).await.expect("a look over fakes cannot fail");
    let sources = query.sources(scanner.loaders(), &observed.disk, &observed.catalog);
    let steps = scanner.plan(&observed).steps.into_iter().filter(|step| sources.contains(&step.source));
    let steps: Vec<Step> = steps.collect();
    let all = &observed.catalog.rows;
    let rows = steps.iter().map(|step| all.iter().find(|row| row.source == step.source).cloned()).collect();
    let index = TypeIndex::build(all.iter().cloned().map(Into::into));
    let problems = attachment::problems(scanner.ports().catalog.as_ref(), &index).await.expect("a catalog");
    let subjects: Vec<String> = sources.iter().map(ToString::to_string).collect();
    (steps, rows, problems.into_iter().filter(|problem| subjects.contains(&problem.subject)).collect())
}

#[tokio::test]
async fn a_question_about_one_source_reads_its_row_alone() {
    let world = World::new();
    for name in ["dns", "mail", "web"] {
        world.tree.write(&format!("models/{name}.ts"), &model(&format!("@acme/{name}"), ""));
    }
    world.scan().await;
    let scanner = world.another_process();
    for text in ["@acme/mail", "models/mail.ts", "@Acme/Mail"] {
        world.catalog.take_reads();
        let (steps, ..) = explained(&scanner, &SourceQuery::new(text, [])).await;
        assert_eq!(steps.len(), 1, "{text}");
        let reads = world.catalog.take_reads();
        assert!(reads.iter().all(|read| read.as_ref().is_some_and(|rows| rows.len() == 1)), "{text}: {reads:?}");
    }
    catalogue::find(&scanner, "@acme/mail", None).await.expect("a catalog");
    assert!(!world.catalog.take_reads().contains(&None), "nor does its description");
}
