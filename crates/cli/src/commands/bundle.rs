//! `mangrove bundle`

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use mangrove_app::{
    service::Service,
    single::{BundleError, Form},
};
use mangrove_domain::{problem::Code, source::SourceId};
use serde::Serialize;

use super::Context;
use crate::{errors::CommandError, exit::Exit, human};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleDocument {
    schema: &'static str,
    path: String,
    output: Option<String>,
    self_contained: bool,
    size_bytes: u64,
    requirements: Vec<String>,
    code: Option<String>,
}

pub(crate) async fn run(
    context: &Context,
    file: &Path,
    output: Option<&Path>,
    is_self_contained: bool,
) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let source = source(&service, file).await?;
    let form = if is_self_contained { Form::SelfContained } else { Form::Shared };
    let bundle = service.bundle(&source, form).await.map_err(|error| match error {
        BundleError::Unreadable(source) => CommandError::usage(
            Some(Code::UNREADABLE),
            format!("{source} cannot be read"),
            Some("paths are relative to the current directory"),
        ),
        BundleError::Failed(failure) => {
            let mut error = CommandError::no(
                Some(failure.fault.code),
                failure.fault.to_string(),
                Some(&format!("`mangrove explain {}` describes this error", failure.fault.code)),
            );
            error.report.details =
                failure.diagnostics.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
            error
        }
    })?;
    for remark in &bundle.remarks {
        context.printer.note(remark.as_str());
    }
    if let Some(output) = output {
        write(output, &bundle.code)?;
    }
    if context.printer.is_json() {
        context.printer.document(&BundleDocument {
            schema: "mangrove.bundle/1",
            path: source.to_string(),
            output: output.map(|path| path.display().to_string()),
            self_contained: is_self_contained,
            size_bytes: bundle.code.len() as u64,
            requirements: bundle.requirements,
            code: output.is_none().then_some(bundle.code),
        });
    } else if let Some(output) = output {
        let size = human::size(bundle.code.len() as u64);
        context.printer.status("Bundled", format!("{source} into {} ({size})", output.display()));
    } else {
        context.printer.text(&bundle.code);
    }
    Ok(Exit::Done)
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever names the file may name a link or a device, which stay what they are"
)]
pub(super) fn write(output: &Path, code: &str) -> Result<(), CommandError> {
    std::fs::write(output, code).map_err(|error| unwritable(output, &error))
}

/// The error that the bundle cannot be put where it was wanted.
fn unwritable(output: &Path, error: &io::Error) -> CommandError {
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (code, hint) = match error.kind() {
        ErrorKind::NotFound => {
            (Code::NOT_WRITABLE, format!("the directory does not exist; `mkdir -p {}` creates it", directory.display()))
        }
        ErrorKind::IsADirectory => (Code::NOT_WRITABLE, "name the file to write, not a directory".to_owned()),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (Code::DISK_FULL, format!("`mangrove explain {}` describes this error", Code::DISK_FULL))
        }
        _ => (Code::NOT_WRITABLE, format!("`mangrove explain {}` describes this error", Code::NOT_WRITABLE)),
    };
    CommandError::usage(Some(code), format!("{} cannot be written: {error}", output.display()), Some(&hint))
}

/// The source that a file is: in the repository, a mount or a pulled extension.
async fn source(service: &Service, file: &Path) -> Result<SourceId, CommandError> {
    let absolute = std::path::absolute(file).and_then(|path| path.canonicalize()).map_err(|error| {
        let hint = "paths are relative to the current directory";
        CommandError::usage(Some(Code::UNREADABLE), format!("{}: {error}", file.display()), Some(hint))
    })?;
    service.source_of(&absolute).await?.ok_or_else(|| {
        let repository = service.directory().display();
        CommandError::usage(
            Some(Code::IMPORT_OUTSIDE_ROOT),
            format!("{} is not inside the repository {repository} or one of its mounts", file.display()),
            Some("`--repo DIR` names the repository that the file belongs to"),
        )
    })
}
