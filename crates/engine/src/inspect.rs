//! Looking at what a bundle exports.

use mangrove_domain::{failure::Fault, inspection::Inspection, ports::InspectRequest};
use rquickjs::{Ctx, Function, Module, Object, Value};

use super::{
    limits::Limits,
    machine::{Machine, Stop, kit},
    modules::Vendors,
    natives::{Mode, locked},
    walk::Walk,
};

/// Evaluates a bundle where it can do no harm and reports what it exports (`design/inspection.md`).
///
/// The module is evaluated once. Only if a stand-in of a package was the reason for a failure, or is part of the
/// export, is it evaluated again in a fresh engine with the real packages.
///
/// # Errors
/// A [`Fault`] if the module throws, hits a limit, or needs a richer engine to load.
pub fn inspect(request: &InspectRequest, limits: &Limits) -> Result<Inspection, Fault> {
    attempts(request, limits).0
}

/// One evaluation and what it says about stand-ins.
struct Attempt {
    outcome: Result<Inspection, Fault>,
    blame: Blame,
    leaves_out_packages: bool,
}

/// What the stand-ins of packages have to do with an outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// Nothing.
    None,
    /// They may have left traces in the export.
    Suspected,
    /// They made it fail, or are part of the export.
    Guilty,
}

/// The inspection and how often the module was evaluated for it.
fn attempts(request: &InspectRequest, limits: &Limits) -> (Result<Inspection, Fault>, u32) {
    let first = attempt(request, limits, Vendors::SchemaLibraries);
    if first.blame == Blame::None || !first.leaves_out_packages {
        return (first.outcome, 1);
    }
    let second = attempt(request, limits, Vendors::All);
    match (second.outcome, first.outcome) {
        // The export works without the packages; what they would add is not worth losing it.
        (Err(fault), Ok(mut inspection)) if first.blame == Blame::Suspected => {
            inspection
                .notes
                .push(format!("inspected without its packages, because with them the inspection failed: {fault}"));
            (Ok(inspection), 2)
        }
        (outcome, _) => (outcome, 2),
    }
}

fn attempt(request: &InspectRequest, limits: &Limits, vendors: Vendors) -> Attempt {
    let machine = match Machine::new(&request.bundle, vendors, Mode::Inspect, limits) {
        Ok(machine) => machine,
        Err(fault) => return Attempt { outcome: Err(fault), blame: Blame::None, leaves_out_packages: false },
    };
    let looked = machine.context.with(|context| look(&machine, &context, request));
    let ledger = locked(&machine.ledger);
    let used = ledger.package_was_used;
    let leaked = ledger.package_leaked;
    let touched: Vec<String> = ledger.touched.iter().cloned().collect();
    let approximated: Vec<&str> = ledger.approximated.iter().map(String::as_str).collect();
    let differs = (!approximated.is_empty()).then(|| {
        format!(
            "{} was used while the module loaded: what came of it may be another text in Deno",
            approximated.join(", ")
        )
    });
    drop(ledger);
    let (outcome, blame) = match looked {
        Ok(mut found) => {
            found.notes.extend(differs);
            found.notes.extend(of_variables(&touched));
            let blame = match (found.met_stand_in, leaked) {
                (true, _) => Blame::Guilty,
                (false, true) => Blame::Suspected,
                (false, false) => Blame::None,
            };
            (Ok(Inspection { export: found.export, touched, notes: found.notes }), blame)
        }
        Err(stop) => {
            let blame = if used && matches!(stop, Stop::Threw(_) | Stop::Stuck) { Blame::Guilty } else { Blame::None };
            (Err(machine.fault(&request.subject, "while it loads", &stop)), blame)
        }
    };
    Attempt { outcome, blame, leaves_out_packages: machine.modules.leaves_out_packages() }
}

/// Says that values which depend on environment variables may be others in a run.
fn of_variables(touched: &[String]) -> Option<String> {
    let asked: Vec<&str> = touched.iter().map(String::as_str).filter(|name| name.ends_with(".env")).collect();
    (!asked.is_empty()).then(|| {
        format!(
            "it reads environment variables while it loads ({}): what is described, such as defaults, was computed as if none \
             were set",
            asked.join(", ")
        )
    })
}

/// What a look at a loaded module found.
struct Found {
    export: Option<(std::sync::Arc<str>, mangrove_domain::shape::Shape)>,
    notes: Vec<String>,
    met_stand_in: bool,
}

fn look(machine: &Machine, context: &Ctx<'_>, request: &InspectRequest) -> Result<Found, Stop> {
    let namespace = machine.load(context)?;
    let stop = |error| machine.stop(context, error);
    let kit = kit(context).map_err(stop)?;
    for name in &request.export_names {
        if !namespace.contains_key(&**name).map_err(stop)? {
            continue;
        }
        let value: Value = namespace.get(&**name).map_err(stop)?;
        let converters = converters(machine, context, &kit)?;
        let mut walk = Walk::new(machine, context, kit, converters).map_err(stop)?;
        let shape = walk.shape(&value)?;
        return Ok(Found { export: Some((name.clone(), shape)), notes: walk.notes, met_stand_in: walk.met_stand_in });
    }
    Ok(Found { export: None, notes: Vec::new(), met_stand_in: false })
}

/// `toJSONSchema` of the schema libraries that the bundle loaded, or of the `z` that they export.
fn converters<'js>(machine: &Machine, context: &Ctx<'js>, kit: &Object<'js>) -> Result<Vec<Function<'js>>, Stop> {
    let stop = |error| machine.stop(context, error);
    let mut converters = Vec::new();
    for entry in machine.modules.schema_entries() {
        let promise = Module::import(context, entry).map_err(stop)?;
        machine.drive(context, kit, &promise, &mut |_| Ok(false))?;
        let Some(Ok(namespace)) = promise.result::<Object>() else {
            context.catch();
            continue;
        };
        let direct = namespace.get::<_, Value>("toJSONSchema").map_err(stop)?;
        let nested = match namespace.get::<_, Value>("z").map_err(stop)?.as_object() {
            Some(nested) => nested.get::<_, Value>("toJSONSchema").map_err(stop)?,
            None => direct.clone(),
        };
        converters.extend([direct, nested].into_iter().find_map(|value| value.as_function().cloned()));
    }
    Ok(converters)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mangrove_domain::bundle::{BundleFile, LoadedBundle};

    use super::*;

    fn request(code: &str, vendor: Option<&str>) -> InspectRequest {
        let file = |name: &str, code: &str| BundleFile { path: format!("../vendor/aa/{name}"), code: code.into() };
        let vendor_files = vendor.map_or(Vec::new(), |vendor| {
            vec![file("sdk.js", vendor), file("unit.json", r#"{"package":"sdk@1.0.0","entries":{"sdk":"sdk.js"}}"#)]
        });
        InspectRequest {
            bundle: LoadedBundle { code: code.into(), vendor_files },
            code_digest: None,
            export_names: vec![Arc::from("model")],
            subject: "a.ts".to_owned(),
        }
    }

    #[test]
    fn fault_29_a_throwing_module_is_evaluated_once() {
        let (outcome, evaluations) = attempts(&request("throw new Error('no')", None), &Limits::default());
        assert!(outcome.is_err());
        assert_eq!(evaluations, 1);
    }

    #[test]
    fn a_throw_that_has_nothing_to_do_with_packages_is_no_reason_to_load_them() {
        let code = "import { a } from '../vendor/aa/sdk.js'; export const keep = a; throw new Error('no')";
        let (outcome, evaluations) = attempts(&request(code, Some("export const a = 1;")), &Limits::default());
        assert!(outcome.is_err());
        assert_eq!(evaluations, 1);
    }

    #[test]
    fn a_failure_over_the_versions_of_the_engine_says_that_another_engine_is_needed() {
        for use_of in ["node.split('.')", "v8.length", "node.x.y"] {
            let code = format!("export const model = {{ n: process.versions.{use_of} }};");
            let fault = attempts(&request(&code, None), &Limits::default()).0.expect_err(use_of);
            assert_eq!(fault.code, mangrove_domain::problem::Code::REQUIREMENT_MISSING, "{fault}");
            assert!(fault.message.contains("process.versions"), "{fault}");
        }
        let code = "export const model = { n: process.versions.node === undefined };";
        assert!(attempts(&request(code, None), &Limits::default()).0.is_ok());
    }

    #[test]
    fn packages_are_loaded_for_real_only_if_their_stand_ins_are_the_reason() {
        let code = "import { a } from '../vendor/aa/sdk.js'; export const model = { n: a };";
        let (outcome, evaluations) = attempts(&request(code, Some("export const a = 1;")), &Limits::default());
        assert_eq!(evaluations, 2);
        let shape = outcome.expect("loads").export.expect("is there").1;
        assert_eq!(shape.to_json().map(|json| json.to_string()).as_deref(), Some(r#"{"n":1}"#));

        let code = "import { A } from '../vendor/aa/sdk.js'; const a = new A(); export const model = { n: () => a };";
        let (outcome, evaluations) = attempts(&request(code, Some("throw 1; export class A {}")), &Limits::default());
        assert!(outcome.is_ok());
        assert_eq!(evaluations, 1);
    }
}
