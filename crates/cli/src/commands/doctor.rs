//! `mangrove doctor`

use std::collections::BTreeMap;

use mangrove_app::{
    doctor::{self, Diagnosis},
    health::Summary,
};
use mangrove_domain::problem::Problem;
use serde::Serialize;

use super::Context;
use crate::{compose, documents::ProblemDocument, errors::CommandError, exit::Exit, human, printer::Style};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoctorDocument {
    schema: &'static str,
    healthy: bool,
    kinds: BTreeMap<String, KindDocument>,
    problems: Vec<ProblemDocument>,
    unreferenced_objects: u64,
    unreferenced_bytes: u64,
    pending_sources: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KindDocument {
    healthy: bool,
    states: BTreeMap<&'static str, u64>,
    degraded: u64,
    shadowed: u64,
}

pub(crate) async fn run(context: &Context) -> Result<Exit, CommandError> {
    let (workspace, found) = compose::examine(context, &context.repository()?).await?;
    let diagnosis = doctor::diagnose(&workspace.scanner, found).await;
    if context.printer.is_json() {
        context.printer.document(&document(&diagnosis));
    } else {
        print(context, &diagnosis);
    }
    Ok(if diagnosis.is_healthy() { Exit::Done } else { Exit::No })
}

fn document(diagnosis: &Diagnosis) -> DoctorDocument {
    let kind = |health: &Summary| KindDocument {
        healthy: health.is_healthy(),
        states: health.states.iter().map(|(state, count)| (state.as_str(), *count)).collect(),
        degraded: health.degraded,
        shadowed: health.shadowed,
    };
    let problem = |problem: &Problem| ProblemDocument::from(problem).of_type(diagnosis.types.get(&problem.subject));
    DoctorDocument {
        schema: "mangrove.doctor/1",
        healthy: diagnosis.is_healthy(),
        kinds: diagnosis.kinds.iter().map(|(name, health)| (name.to_string(), kind(health))).collect(),
        problems: diagnosis.problems.iter().map(problem).collect(),
        unreferenced_objects: diagnosis.unreferenced.len() as u64,
        unreferenced_bytes: diagnosis.unreferenced.iter().map(|object| object.size_bytes).sum(),
        pending_sources: diagnosis.pending,
    }
}

fn print(context: &Context, diagnosis: &Diagnosis) {
    let printer = &context.printer;
    for problem in &diagnosis.problems {
        printer.problem(problem);
    }
    for (kind, health) in &diagnosis.kinds {
        let states: Vec<String> = health
            .states
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let degraded = if health.degraded > 0 { format!(", {} degraded", health.degraded) } else { String::new() };
        printer.line(format!("{kind}: {}{degraded}", states.join(", ")));
    }
    if !diagnosis.unreferenced.is_empty() {
        let bytes = diagnosis.unreferenced.iter().map(|object| object.size_bytes).sum();
        let objects = human::count(diagnosis.unreferenced.len() as u64, "object");
        printer.line(format!("store: {objects} ({}) that no row needs", human::size(bytes)));
    }
    if diagnosis.pending > 0 {
        let sources = human::count(diagnosis.pending, "source");
        printer.line(format!("{sources} not scanned as they are now; `mangrove scan` brings the catalog up to date"));
    }
    if diagnosis.is_healthy() {
        printer.line(printer.styled(Style::Green, "healthy"));
    } else {
        printer.line(printer.styled(Style::Red, "unhealthy"));
    }
}
