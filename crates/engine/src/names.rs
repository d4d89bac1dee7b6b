//! What a `CommonJS` module exports by name, found by evaluating it.

use std::collections::BTreeSet;

use mangrove_domain::{
    bundle::{BundleFile, LoadedBundle},
    failure::Fault,
};
use rquickjs::Object;

use super::{imported_names::is_identifier, limits::Limits, machine::Machine, modules::Vendors, natives::Mode};

/// The members of the default export of the file at `path` that can be imported by name: those that Node finds, too.
///
/// Evaluates like an inspection: inert stand-ins for what the engine lacks, all limits in force.
///
/// # Errors
/// A [`Fault`] if the module throws or hits a limit.
pub fn member_names(
    vendor_files: Vec<BundleFile>,
    path: &str,
    subject: &str,
    limits: &Limits,
) -> Result<BTreeSet<String>, Fault> {
    let path = serde_json::Value::from(path);
    let code = format!(
        "import whole from {path};\n\
         const isObject = (typeof whole === \"object\" && whole !== null) || typeof whole === \"function\";\n\
         export const names = isObject ? Object.keys(whole) : [];\n\
         if (isObject && Object.hasOwn(whole, \"__esModule\")) names.push(\"__esModule\");\n"
    );
    let bundle = LoadedBundle { code: code.into(), vendor_files };
    let machine = Machine::new(&bundle, Vendors::All, Mode::Inspect, limits)?;
    let found = machine.context.with(|context| {
        let namespace: Object = machine.load(&context)?;
        namespace.get::<_, Vec<String>>("names").map_err(|error| machine.stop(&context, error))
    });
    let names = found.map_err(|stop| machine.fault(subject, "while its names are looked for", &stop))?;
    Ok(names.into_iter().filter(|name| name != "default" && is_identifier(name)).collect())
}
