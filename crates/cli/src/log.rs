//! The log, on standard error.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt as _,
    fmt::{MakeWriter, format},
};

use crate::{
    args::{Arguments, Command, LogFormat},
    printer::Printer,
    visible,
};

/// How many lines of a daemon may wait for who reads them. Further ones are dropped: a reader that stands still must
/// not hold up the daemon.
const WAITING_LINES: usize = 8_192;

/// Starts it; `MANGROVE_LOG` is a filter as `tracing` knows them. A daemon says what it does without being asked, and writes
/// on a thread of its own; what waits is written, as far as that is possible, when the value is dropped.
pub(crate) fn start(arguments: &Arguments, printer: &Printer) -> Option<WorkerGuard> {
    let serve = if let Command::Serve(serve) = &arguments.command { Some(serve) } else { None };
    let default = match (arguments.global.verbose, serve) {
        (0, None) => "off",
        (0, Some(_)) | (1, _) => "mangrove=info",
        _ => "mangrove=debug",
    };
    let filter = EnvFilter::try_from_env("MANGROVE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let Some(serve) = serve else {
        write_text(filter, printer, std::io::stderr);
        return None;
    };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).thread_name("log");
    let (writer, guard) = builder.finish(std::io::stderr());
    match serve.log_format {
        LogFormat::Text => write_text(filter, printer, writer),
        LogFormat::Json => {
            let log = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter);
            log.log_internal_errors(false).with_writer(writer).init();
        }
    }
    Some(guard)
}

/// Lines for people. A line that cannot be written is dropped.
fn write_text<W>(filter: EnvFilter, printer: &Printer, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let fields = format::debug_fn(visible::log_field).delimited(" ");
    let log = tracing_subscriber::fmt().fmt_fields(fields).with_env_filter(filter).with_writer(writer);
    log.with_ansi(printer.colors_errors()).log_internal_errors(false).init();
}
