//! `mangrove report`: what reports have said.

use mangrove_app::service::{ReportError, ReportQuery, ReportSubject};
use mangrove_documents::{ErrorReport, ReportContentDocument, human};
use mangrove_domain::{nearest, problem::Code};

use super::{Context, running};
use crate::{args, errors::CommandError, exit::Exit};

pub(crate) async fn get(context: &Context, given: &args::ReportGet) -> Result<Exit, CommandError> {
    let args::ReportGet { report, model, workflow, version, variant, markdown } = given;
    let query = ReportQuery {
        report: report.clone(),
        model: model.clone(),
        workflow: workflow.clone(),
        variant: variant.clone(),
        version: *version,
    };
    let found = context.look()?.report(&query).await.map_err(not_found)?;
    let document = ReportContentDocument::from(&found);
    if context.printer.is_json() && !markdown {
        context.printer.document(&document);
        return Ok(Exit::Done);
    }
    if !markdown {
        let variant = document.vary_suffix.as_ref().map(|suffix| format!(" ({suffix})")).unwrap_or_default();
        context.printer.note(format!(
            "{} of {}{variant}, version {}, {}",
            document.report_name,
            document.model_name,
            document.version,
            human::ago(document.created_at.0, context.now())
        ));
    }
    let text = &document.markdown;
    context.printer.text(&if text.ends_with('\n') { text.clone() } else { format!("{text}\n") });
    Ok(Exit::Done)
}

fn not_found(error: ReportError) -> CommandError {
    let message = error.to_string();
    match error {
        ReportError::Unknown(problem) => running::unknown(&problem),
        ReportError::None { report, known } => {
            let hint =
                nearest::hint(&report, known.iter().map(String::as_str)).unwrap_or_else(|| match known.as_slice() {
                    [] => "reports are made after methods and workflows have ended".to_owned(),
                    known => format!("reports that are kept: {}", known.join(", ")),
                });
            CommandError::no(Some(Code::UNKNOWN_ITEM), message, Some(&hint))
        }
        ReportError::NoVersion { kept, .. } => {
            CommandError::no(Some(Code::UNKNOWN_ITEM), message, Some(&human::versions(&kept)))
        }
        ReportError::Several { subjects, .. } => {
            let options: Vec<String> = subjects.iter().map(option).collect();
            let hint = format!("name one: {}", options.join(", "));
            CommandError::answer(ErrorReport::new(Some(Code::AMBIGUOUS_NAME), message).advise(hint))
        }
        ReportError::Service(error) => error.into(),
    }
}

/// What names a report among others.
fn option(subject: &ReportSubject) -> String {
    let of = if subject.type_name == "workflow" { "--workflow" } else { "--model" };
    let variant = subject.variant.as_ref().map(|variant| format!(" --variant {variant}")).unwrap_or_default();
    format!("`{of} {}{variant}`", subject.name)
}
