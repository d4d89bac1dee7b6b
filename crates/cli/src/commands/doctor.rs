//! `mangrove doctor`

use mangrove_app::{
    doctor::{Diagnosis, DocumentHealth, Duplicate, repair::Repair},
    service::{Access, Examined, Repairs},
};
use mangrove_documents::{DOCTOR_SCHEMA, DoctorDocument, repair_actions};

use super::Context;
use crate::{args, errors::CommandError, exit::Exit, human, line::Style, printer::Printer};

pub(crate) async fn run(context: &Context, arguments: &args::Doctor) -> Result<Exit, CommandError> {
    if arguments.schema {
        context.printer.text(DOCTOR_SCHEMA);
        return Ok(Exit::Done);
    }
    let access = if arguments.apply { Access::ReadWrite } else { Access::Examine };
    let service = context.service(access, None)?;
    let repairs = match (arguments.repair, arguments.apply) {
        (_, true) => Repairs::Apply(service.scan_request(context.interrupts.cancellation())),
        (true, false) => Repairs::Propose,
        (false, false) => Repairs::No,
    };
    let Examined { diagnosis, repair, is_cancelled } = service.examine(repairs).await?;
    context.print_notices();
    if context.printer.is_json() {
        let repair = repair.as_ref().map(|repair| (repair, arguments.apply));
        context.printer.document(&DoctorDocument::new(&diagnosis, repair));
    } else {
        if let Some(repair) = &repair {
            print_repair(&context.printer, repair, arguments.apply);
        }
        print(&context.printer, &diagnosis);
    }
    Ok(if diagnosis.is_healthy() && !is_cancelled { Exit::Done } else { Exit::No })
}

fn print_repair(printer: &Printer, repair: &Repair, is_applied: bool) {
    if repair.is_empty() {
        printer.line("nothing to repair");
        return;
    }
    let actions = repair_actions(repair);
    let total = human::count(actions.len() as u64, "repair");
    for action in actions {
        printer.line(format!("{:<16} {}: {}", action.action, action.subject, action.reason));
    }
    if is_applied {
        printer.status("Repaired", total);
    } else {
        printer.status("Proposed", format!("{total}; nothing was changed, `--apply` does it"));
    }
}

fn print(printer: &Printer, diagnosis: &Diagnosis) {
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
    if let Some(DocumentHealth { definitions, workflows, broken }) = &diagnosis.documents {
        let (definitions, workflows) = (human::count(*definitions, "definition"), human::count(*workflows, "workflow"));
        let errors = if broken.is_empty() {
            String::new()
        } else {
            format!("; {} with errors", human::count(broken.len() as u64, "file"))
        };
        printer.line(format!("{definitions}, {workflows}{errors}"));
    }
    for duplicate in &diagnosis.duplicates {
        printer.line(claims(duplicate));
    }
    for need in diagnosis.needs.iter().filter(|need| !need.missing.is_empty()) {
        let missing: Vec<&str> = need.missing.iter().map(|permission| permission.as_str()).collect();
        let (kind, name) = (&need.kind, &need.type_name);
        let requires = need.requirements.join(", ");
        printer.line(format!("{kind} {name} uses {requires}; not granted: {}", missing.join(", ")));
    }
    if let Some(place) = &diagnosis.store_place {
        printer.line(format!("bundles in {place}"));
    }
    if !diagnosis.unreferenced.is_empty() {
        let bytes = diagnosis.unreferenced.iter().map(|object| object.size_bytes).sum();
        let objects = human::count(diagnosis.unreferenced.len() as u64, "object");
        let old = diagnosis.sweepable.len();
        printer.line(format!(
            "store: {objects} ({}) that no source needs, {old} of them old enough to be removed",
            human::size(bytes)
        ));
    }
    if diagnosis.pending > 0 {
        let sources = human::count(diagnosis.pending, "source");
        printer.line(format!(
            "{sources} new or changed since the last scan; `mangrove scan` brings the catalog up to date"
        ));
    }
    if diagnosis.is_healthy() {
        printer.line(Style::Green.of("healthy"));
    } else {
        printer.line(Style::Red.of("unhealthy"));
    }
}

/// `model @acme/a: a.ts resolves it, before pulled:@acme/tools/a.ts`.
fn claims(duplicate: &Duplicate) -> String {
    let who = match (&duplicate.winner, &duplicate.blocked_by) {
        (Some(winner), _) if duplicate.is_fallback => format!("{winner} is used in place of a source that failed"),
        (Some(winner), _) => format!("{winner} resolves it"),
        (None, Some(blocker)) => format!("nothing resolves it, {blocker} is rejected"),
        (None, None) => "nothing resolves it".to_owned(),
    };
    let decisive = duplicate.winner.as_ref().or(duplicate.blocked_by.as_ref());
    let others: Vec<String> = duplicate
        .claimants
        .iter()
        .filter(|claimant| Some(&claimant.source) != decisive)
        .map(|claimant| format!("{} ({})", claimant.source, claimant.state))
        .collect();
    format!("{} {}: {who}; also claimed by {}", duplicate.kind, duplicate.type_name, others.join(", "))
}
