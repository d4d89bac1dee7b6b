mod files;
mod packages;
mod stored;
mod texts;

use crate::Target;

/// Ends it in this thread; `None` where no runtime can be made.
fn finished<T>(future: impl Future<Output = T>) -> Option<T> {
    Some(tokio::runtime::Builder::new_current_thread().build().ok()?.block_on(future))
}

const fn text(name: &'static str, read: fn(&[u8])) -> Target {
    Target { name, read, seeds: Vec::new, quick_rounds: 3_000 }
}

const fn made(name: &'static str, read: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, read, seeds, quick_rounds: 3_000 }
}

const fn through_files(target: Target) -> Target {
    Target { quick_rounds: 300, ..target }
}

pub(crate) const ALL: &[Target] = &[
    text("definition", texts::definition),
    text("document", texts::document),
    text("expression", texts::expression),
    text("module", texts::module),
    text("schedule", texts::schedule),
    text("vault", texts::vault),
    text("webhook", texts::webhook),
    text("workflow", texts::workflow),
    made("archive", packages::archive, packages::archives),
    text("deno_lock", packages::deno_lock),
    text("package_metadata", packages::package_metadata),
    through_files(text("npm_settings", packages::npm_settings)),
    through_files(text("package_lock", packages::package_lock)),
    through_files(text("manifest", files::manifest)),
    through_files(text("extension_lockfile", files::extension_lockfile)),
    through_files(made("stat_cache", files::stat_cache, files::stat_caches)),
    through_files(made("seal", stored::seal, stored::seals)),
    made("inspection", stored::inspection, stored::inspections),
    made("wire", stored::wire, stored::frames),
];
