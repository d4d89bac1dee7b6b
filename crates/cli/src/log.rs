//! The log, on standard error; and who else receives what the code says of itself.

use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    field::MakeExt as _,
    filter::{FilterExt as _, filter_fn},
    fmt::{self, MakeWriter, format},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    args::{Arguments, Command, LogFormat},
    printer::Printer,
    traces::Traces,
    visible,
};

/// How many lines of a daemon may wait for who reads them. Further ones are dropped: a reader that stands still must
/// not hold up the daemon.
const WAITING_LINES: usize = 8_192;

/// Lines of one form.
type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts it; `MANGROVE_LOG` is a filter as `tracing` knows them. A daemon says what it does without being asked, and writes
/// on a thread of its own; what waits is written, as far as that is possible, when the value is dropped. Spans are for traces
/// alone.
pub(crate) fn start(arguments: &Arguments, printer: &Printer, traces: Option<&Traces>) -> Option<WorkerGuard> {
    let serve = if let Command::Serve(serve) = &arguments.command { Some(serve) } else { None };
    let default = match (arguments.global.log_level, arguments.global.verbose, serve) {
        (Some(level), ..) => format!("mangrove={}", level.as_str()),
        (None, 0, None) => "off".to_owned(),
        (None, 0, Some(_)) | (None, 1, _) => "mangrove=info".to_owned(),
        (None, ..) => "mangrove=debug".to_owned(),
    };
    let filter = EnvFilter::try_from_env("MANGROVE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let (lines, guard) = lines(serve.map(|serve| serve.log_format), printer);
    let for_collector = traces.map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer());
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(is_own_span))
    });
    let only_events = filter_fn(|metadata: &Metadata<'_>| metadata.is_event());
    tracing_subscriber::registry().with(lines.with_filter(filter.and(only_events))).with(for_collector).init();
    guard
}

/// Those of other crates are theirs: one that sends traces would make traces of that.
fn is_own_span(metadata: &Metadata<'_>) -> bool {
    let is_own = metadata.target().starts_with("mangrove");
    metadata.is_span() && is_own && LevelFilter::from_level(Level::INFO) >= *metadata.level()
}

/// Lines for people or programs, and what writes them.
fn lines(format: Option<LogFormat>, printer: &Printer) -> (LogLayer, Option<WorkerGuard>) {
    let Some(format) = format else {
        return (text(printer, std::io::stderr), None);
    };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).thread_name("log");
    let (writer, guard) = builder.finish(std::io::stderr());
    let lines = match format {
        LogFormat::Text => text(printer, writer),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).log_internal_errors(false).with_writer(writer).boxed()
        }
    };
    (lines, Some(guard))
}

/// Lines for people. A line that cannot be written is dropped.
fn text<W>(printer: &Printer, writer: W) -> LogLayer
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let fields = format::debug_fn(visible::log_field).delimited(" ");
    let lines = fmt::layer().fmt_fields(fields).with_writer(writer);
    lines.with_ansi(printer.colors_errors()).log_internal_errors(false).boxed()
}
