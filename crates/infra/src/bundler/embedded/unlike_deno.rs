//! Where a bundle does not do what Deno does that runs the files as they are: told with the bundle, so that nobody has to find out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
    sync::Arc,
};

use mangrove_domain::{
    bundle::UNLIKE_DENO,
    failure::Fault,
    json::Json,
    module_graph::EdgeTarget,
    ports::{BuildFailure, BundleRequest},
    problem::Code,
};
use mangrove_sources::parse::parse_module;
use oxc_allocator::Allocator;
use oxc_ast::ast::{Program, Statement};
use oxc_parser::Parser;
use oxc_span::SourceType;
use rolldown_common::ModuleType;

use super::{
    super::diagnostics,
    ids::id,
    imports::{Attribute, locate, module_type},
};

/// The text of each file by its id.
type Texts = HashMap<String, Arc<str>>;

/// How many places one remark names.
const MOST_PLACES: usize = 3;

/// What an import of a file that is no script asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Nothing,
    Json,
    Text,
    Other,
}

/// What imports of files that are no scripts come to.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// Importer's id and specifier of imports of which no module is made, or of a text.
    pub(super) attributes: HashMap<(String, String), Attribute>,
    /// What is imported though Deno does not.
    pub(super) remarks: Vec<String>,
}

/// Judges the imports of files that are no scripts: `deno bundle` takes JSON and `.txt` as they are, which `deno run` refuses; all
/// other kinds are refused by both, unless they are imported as a text.
pub(super) fn kinds(request: &BundleRequest, files: &Texts) -> Kinds {
    let mut wanted: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for edge in &request.graph.edges {
        if let EdgeTarget::File(target) = &edge.target
            && !is_script(target.as_str())
            && Path::new(target.as_str()).extension().is_none_or(|extension| extension != "wasm")
        {
            wanted.entry(edge.importer.as_str()).or_default().insert(&edge.specifier, target.as_str());
        }
    }
    let mut kinds = Kinds::default();
    let (mut json, mut text) = (Vec::new(), Vec::new());
    for (importer, specifiers) in wanted {
        let Some(code) = files.get(&id(importer)) else { continue };
        let module = parse_module(importer, code.as_bytes());
        let mut asked: BTreeMap<&str, BTreeSet<Wanted>> = BTreeMap::new();
        for import in &module.imports {
            let what = match import.attribute.as_deref() {
                None => Wanted::Nothing,
                Some("json") => Wanted::Json,
                Some("text") => Wanted::Text,
                Some(_) => Wanted::Other,
            };
            asked.entry(&import.specifier).or_default().insert(what);
        }
        for (specifier, target) in specifiers {
            let Some(asked) = asked.get(specifier) else { continue };
            let key = || (id(importer), specifier.to_owned());
            let extension = Path::new(target).extension().and_then(|extension| extension.to_str());
            let place = || format!("`{specifier}` in {}", line(importer, code, specifier));
            let attribute = match extension {
                _ if asked.contains(&Wanted::Other) => None,
                _ if asked.iter().eq([&Wanted::Text]) => Some(Attribute::Text),
                _ if asked.contains(&Wanted::Text) => {
                    Some(Attribute::Unserved("a file that is imported as a text and as something else"))
                }
                Some("json") => {
                    json.extend(asked.contains(&Wanted::Nothing).then(place));
                    None
                }
                Some("txt") if asked.iter().eq([&Wanted::Nothing]) => {
                    text.push(place());
                    Some(Attribute::Text)
                }
                _ if asked.contains(&Wanted::Json) => {
                    Some(Attribute::Unserved("a file that is imported as JSON and whose name does not end in `.json`"))
                }
                _ => Some(Attribute::Unserved(
                    "a file that is no module (Deno imports it only `with { type: \"text\" }`)",
                )),
            };
            kinds.attributes.extend(attribute.map(|attribute| (key(), attribute)));
        }
    }
    kinds.remarks.extend(remark(&json, "JSON", "json"));
    kinds.remarks.extend(remark(&text, "text", "text"));
    kinds
}

fn remark(places: &[String], what: &str, attribute: &str) -> Option<String> {
    let (shown, rest) = places.split_at(places.len().min(MOST_PLACES));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    (!shown.is_empty()).then(|| {
        let shown = shown.join(", ");
        format!("{UNLIKE_DENO}{what} is imported without `with {{ type: \"{attribute}\" }}`, which it refuses: {shown}{more}")
    })
}

/// The file and the line of an import.
fn line(file: &str, text: &str, specifier: &str) -> String {
    format!("{file}:{}", locate(file, text, specifier).line)
}

fn is_script(path: &str) -> bool {
    matches!(module_type(path), ModuleType::Ts | ModuleType::Tsx | ModuleType::Js | ModuleType::Jsx)
}

/// Refuses a graph whose JSX Deno makes templates of, with `"jsx": "precompile"`: other calls of other functions than ours.
///
/// # Errors
/// [`BuildFailure`] at the first file with such JSX.
pub(super) fn refuse_precompile(request: &BundleRequest, files: &Texts) -> Result<(), BuildFailure> {
    if request.graph.compiler_options.get("jsx").and_then(Json::as_str) != Some("precompile") {
        return Ok(());
    }
    let paths = request.graph.files.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with("sx"));
    let mut texts = paths.filter_map(|path| Some((path, files.get(&id(path))?)));
    let with_jsx = texts.find(|(path, text)| parse_module(path, text.as_bytes()).jsx.is_some());
    let Some((path, text)) = with_jsx else { return Ok(()) };
    let message = "the embedded bundler does not know `\"jsx\": \"precompile\"` of deno.json, with which Deno makes templates of JSX: \
                   write `\"jsx\": \"react-jsx\"` there, or `bundler: deno` in mangrove.yaml";
    let fault = Fault::environment(Code::BUNDLE_FAILED, "setting:jsx", message);
    Err(diagnostics::failure(vec![diagnostics::at(fault, diagnostics::position(path, text, 0), text)]))
}

/// What is to be told of modules that wait with `await` at their top, by their ids: a bundle is one module, and whatever stands
/// behind such a wait waits as well, while Deno goes on with modules that do not depend on it.
pub(super) fn waits(request: &BundleRequest, files: &Texts, waiting: &BTreeSet<String>) -> Option<String> {
    if waiting.is_empty() {
        return None;
    }
    let graph = Graph::of(request, files);
    let order = graph.order(request.graph.entry.as_str());
    let waits = |path: &str| waiting.contains(&id(path));
    let mut pairs = Vec::new();
    for (index, &first) in order.iter().enumerate().filter(|(_, path)| waits(path)) {
        for &later in order.iter().skip(index + 1) {
            let is_seen = waits(later) || graph.with_effects.contains(later);
            if is_seen && !graph.needs(later, first) {
                pairs.push(format!("`{later}` after `{first}`"));
            }
        }
    }
    let (shown, rest) = pairs.split_at(pairs.len().min(MOST_PLACES));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    (!shown.is_empty()).then(|| {
        format!(
            "{UNLIKE_DENO}what waits with `await` at the top of a module holds up modules that do not need it, which Deno runs \
             meanwhile: {}{more}",
            shown.join(", ")
        )
    })
}

/// The local modules, by the imports that are no `import()`.
#[derive(Debug, Default)]
struct Graph<'r> {
    imports: HashMap<&'r str, Vec<&'r str>>,
    /// Modules that do more than declare names.
    with_effects: HashSet<&'r str>,
}

impl<'r> Graph<'r> {
    fn of(request: &'r BundleRequest, files: &Texts) -> Self {
        let mut targets: HashMap<(&str, &str), &'r str> = HashMap::new();
        for edge in &request.graph.edges {
            if let EdgeTarget::File(target) = &edge.target {
                targets.insert((edge.importer.as_str(), edge.specifier.as_str()), target.as_str());
            }
        }
        let mut graph = Self::default();
        for file in request.graph.files.iter().filter(|file| is_script(file.path.as_str())) {
            let path = file.path.as_str();
            let Some(text) = files.get(&id(path)) else { continue };
            let fixed = parse_module(path, text.as_bytes()).imports.into_iter().filter(|import| !import.is_dynamic);
            let imports = fixed.filter_map(|import| targets.get(&(path, import.specifier.as_str())).copied());
            graph.imports.insert(path, imports.collect());
            let allocator = Allocator::default();
            let source_type = SourceType::from_path(path).unwrap_or_else(|_| SourceType::ts());
            if has_effects(&Parser::new(&allocator, text, source_type).parse().program) {
                graph.with_effects.insert(path);
            }
        }
        graph
    }

    /// The modules in the order in which they run.
    fn order(&self, entry: &'r str) -> Vec<&'r str> {
        let mut order = Vec::new();
        let mut met = HashSet::from([entry]);
        // A module, and how many of its imports were gone into.
        let mut pending = vec![(entry, 0_usize)];
        while let Some((path, done)) = pending.pop() {
            match self.imports.get(path).and_then(|imports| imports.get(done)) {
                Some(&next) => {
                    pending.push((path, done + 1));
                    if met.insert(next) {
                        pending.push((next, 0));
                    }
                }
                None => order.push(path),
            }
        }
        order
    }

    /// True if a module imports another one, directly or through others.
    fn needs(&self, module: &'r str, other: &str) -> bool {
        let mut met = HashSet::from([module]);
        let mut pending = vec![module];
        while let Some(path) = pending.pop() {
            for &next in self.imports.get(path).into_iter().flatten() {
                if next == other {
                    return true;
                }
                if met.insert(next) {
                    pending.push(next);
                }
            }
        }
        false
    }
}

/// True if statements at the top of a module do more than declare names, import and export.
fn has_effects(program: &Program<'_>) -> bool {
    program.body.iter().any(|statement| {
        matches!(
            statement,
            Statement::ExpressionStatement(_)
                | Statement::BlockStatement(_)
                | Statement::DoWhileStatement(_)
                | Statement::ForInStatement(_)
                | Statement::ForOfStatement(_)
                | Statement::ForStatement(_)
                | Statement::IfStatement(_)
                | Statement::SwitchStatement(_)
                | Statement::ThrowStatement(_)
                | Statement::TryStatement(_)
                | Statement::WhileStatement(_)
        )
    })
}
