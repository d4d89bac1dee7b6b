//! Whether every name that a bundle imports of its packages exists there.

use mangrove_domain::{
    failure::Fault, module_graph::EdgeTarget, nearest::nearest, package::Offer, ports::BundleRequest, problem::Code,
};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

use super::{
    super::{
        builtin_names,
        diagnostics::{self, Finding},
        links,
    },
    locate,
};

/// What a bundle with this code imports of packages and of built-in modules without their having it, each in the place
/// of its import.
pub(super) fn missing(request: &BundleRequest, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, names) in links::of(code).imports {
        let offer = request
            .offers
            .iter()
            .find(|(import, offer)| **import == path || offer.wide.as_ref().is_some_and(|wide| wide.import == path));
        let mut told = |name: &str, import: &str, fault: &dyn Fn(&str) -> Fault| {
            let (specifier, file, offset) = place(request, import, name);
            let text = text(request, &file);
            let at = match offset {
                Some(offset) => diagnostics::position(&file, &text, offset),
                None => locate(&file, &text, &specifier),
            };
            findings.push(diagnostics::at(fault(&specifier), at, &text));
        };
        let Some((import, offer)) = offer else {
            for name in &names {
                if let Some(fault) = builtin_names::missing(request.graph.entry.as_str(), &path, name) {
                    told(name, &path, &|_| fault.clone());
                }
            }
            continue;
        };
        let wide = offer.wide.as_ref().filter(|wide| wide.import == path);
        let offered = wide.map_or(&offer.names, |wide| &wide.names);
        for name in names.difference(offered).filter(|_| !offer.is_open) {
            told(name, import, &|specifier| {
                let message = message(specifier, name, offer);
                Fault::deterministic(Code::MISSING_EXPORT, format!("import:{specifier}"), message)
            });
        }
    }
    diagnostics::sort(&mut findings);
    findings
}

fn message(specifier: &str, name: &str, offer: &Offer) -> String {
    let package = &offer.package;
    let wide = offer.wide.iter().flat_map(|wide| &wide.names);
    let near = nearest(name, offer.names.iter().chain(wide).map(String::as_str), 2);
    let near: Vec<String> = near.iter().map(|near| format!("`{near}`")).collect();
    let help = if near.is_empty() { String::new() } else { format!("; it exports {}", near.join(" and ")) };
    let help = if name == "default" { "; import it by name, or as a whole with `* as`".to_owned() } else { help };
    format!("`{specifier}` exports no `{name}` ({package}){help}")
}

/// The specifier by which a source imports this name of a file of a package, with the path of the source and the place
/// of the name in bytes; of several the first.
fn place(request: &BundleRequest, import: &str, name: &str) -> (String, String, Option<usize>) {
    let mut fallback = None;
    for edge in &request.graph.edges {
        let EdgeTarget::External(mapped) = &edge.target else { continue };
        if request.imports.get(mapped).unwrap_or(mapped) != import {
            continue;
        }
        let file = edge.importer.as_str();
        let allocator = Allocator::default();
        let text = text(request, file);
        let source_type = SourceType::from_path(file).unwrap_or_else(|_| SourceType::ts());
        let record = Parser::new(&allocator, &text, source_type).parse().module_record;
        let mut found = None;
        links::each_imported(&record, |specifier, imported, offset| {
            if specifier == edge.specifier && imported == name && found.is_none() {
                found = usize::try_from(offset).ok();
            }
        });
        let place = (edge.specifier.clone(), file.to_owned(), found);
        if found.is_some() {
            return place;
        }
        fallback.get_or_insert(place);
    }
    fallback.unwrap_or_else(|| (import.to_owned(), request.graph.entry.to_string(), None))
}

fn text(request: &BundleRequest, path: &str) -> String {
    let file = request.graph.files.iter().find(|file| file.path.as_str() == path);
    let text = file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}
