//! What the bundler may see.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use mangrove_domain::{
    failure::Fault,
    module_graph::{EdgeTarget, ModuleGraph},
    package::Offer,
    ports::{BuildFailure, BundleRequest},
    problem::Code,
};

use super::{
    super::{diagnostics, fence::normalized, options},
    common_js::{self, CommonJs},
    ids::{ADDRESS, VENDOR, id},
    imports::{Attribute, attributes},
    package_imports,
    unlike_deno::{self, Kinds},
};

/// What the bundler may see, by module id.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) entry: String,
    /// Text by id.
    pub(super) files: HashMap<String, Arc<str>>,
    /// Where a specifier of an importer's id leads.
    pub(super) edges: HashMap<(String, String), EdgeTarget>,
    pub(super) imports: BTreeMap<String, String>,
    /// Importer's id and specifier of imports `with { type: "text" }`, which the bundler does not know.
    pub(super) texts: HashSet<(String, String)>,
    /// Importer's id and specifier of imports of which the bundler would make something else, and what they want.
    pub(super) unserved: HashMap<(String, String), &'static str>,
    pub(super) has_legacy_decorators: bool,
    /// Importer's id and specifier of imports of packages that want more names than Node finds.
    pub(super) wide: HashSet<(String, String)>,
    pub(super) offers: BTreeMap<String, Arc<Offer>>,
    /// Files that are `CommonJS`, by their ids.
    pub(super) common_js: HashMap<String, CommonJs>,
    /// What is imported though Deno refuses it, or runs otherwise.
    pub(super) remarks: Vec<String>,
}

impl Sources {
    pub(super) fn of(request: &BundleRequest) -> Result<Self, BuildFailure> {
        let mut files = texts_of(&request.graph)?;
        unlike_deno::refuse_precompile(request, &files)?;
        let edges: HashMap<(String, String), EdgeTarget> = request
            .graph
            .edges
            .iter()
            .map(|edge| ((id(edge.importer.as_str()), edge.specifier.clone()), edge.target.clone()))
            .collect();
        let mut packages: HashMap<&str, BTreeMap<&str, &str>> = HashMap::new();
        for ((importer, specifier), target) in &edges {
            if let EdgeTarget::External(mapped) = target
                && let Some(import) = request.imports.get(mapped)
                && import.starts_with("../")
            {
                packages.entry(importer).or_default().insert(specifier, import);
            }
        }
        let (mut texts, mut unserved, mut wide) = (HashSet::new(), HashMap::new(), HashSet::new());
        for (importer, text) in &mut files {
            for (specifier, attribute) in attributes(importer, text) {
                let import = (importer.clone(), specifier);
                match attribute {
                    Attribute::Text => {
                        texts.insert(import);
                    }
                    Attribute::Unserved(what) => {
                        unserved.insert(import, what);
                    }
                }
            }
            let of_file = packages.get(importer.as_str());
            let specifiers: Vec<&str> = of_file.into_iter().flatten().map(|(specifier, _)| *specifier).collect();
            let offer = |specifier: &str| request.offers.get(*of_file?.get(specifier)?).map(|offer| &**offer);
            let said = package_imports::said(importer, text, &specifiers, offer);
            wide.extend(said.wide.into_iter().map(|specifier| (importer.clone(), specifier)));
            if let Some(without) = said.text {
                *text = without.into();
            }
        }
        let Kinds { attributes, mut remarks } = unlike_deno::kinds(request, &files);
        for (import, attribute) in attributes {
            match attribute {
                Attribute::Text => {
                    texts.insert(import);
                }
                Attribute::Unserved(what) => {
                    unserved.entry(import).or_insert(what);
                }
            }
        }
        let mut common_js = HashMap::new();
        for path in request.graph.files.iter().map(|file| file.path.as_str()) {
            if let Some(read) = files.get(&id(path)).and_then(|text| common_js::read(path, text)) {
                remarks.extend(read.remark.clone());
                common_js.insert(id(path), read);
            }
        }
        for file in &request.inlined {
            if let Some(id) = vendor_id(&file.path) {
                files.insert(id, Arc::clone(&file.code));
            }
        }
        Ok(Self {
            texts,
            unserved,
            wide,
            common_js,
            remarks,
            offers: request.offers.clone(),
            entry: id(request.graph.entry.as_str()),
            files,
            edges,
            imports: request.imports.clone(),
            has_legacy_decorators: options::has_legacy_decorators(&request.graph.compiler_options),
        })
    }

    /// The file that a module id means, and its text.
    pub(super) fn file<'i>(&self, id: &'i str) -> Option<(&'i str, &Arc<str>)> {
        let file = id.split_once(ADDRESS).map_or(id, |(file, _)| file);
        Some((file, self.files.get(file)?))
    }

    /// The text of a file by its path below the root.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.files.get(&id(path)).map(|text| (**text).to_owned())
    }

    /// The vendor file that a path of the request, or a relative import of another vendor file, means.
    pub(super) fn inlined(&self, importer: &str, path: &str) -> Option<String> {
        let id = match importer.strip_prefix(VENDOR) {
            Some(_) => utf8(normalized(&Path::new(importer).parent()?.join(path)))?,
            None => vendor_id(path)?,
        };
        self.files.contains_key(&id).then_some(id)
    }

    /// The file of a package that has the names that an import wants.
    pub(super) fn widened(&self, importer: &str, specifier: &str, target: String) -> String {
        let is_wide = self.wide.contains(&(importer.to_owned(), specifier.to_owned()));
        let wide = self.offers.get(&target).filter(|_| is_wide).and_then(|offer| offer.wide.as_ref());
        wide.map_or(target, |wide| wide.import.clone())
    }

    /// What a bundle imports for an external specifier. Built-ins of the engine stay what they are.
    pub(super) fn external(&self, specifier: &str) -> Option<String> {
        self.imports.get(specifier).cloned().or_else(|| specifier.starts_with("node:").then(|| specifier.to_owned()))
    }
}

/// The texts of the files by their ids, without a mark at their beginning.
fn texts_of(graph: &ModuleGraph) -> Result<HashMap<String, Arc<str>>, BuildFailure> {
    let mut files = HashMap::with_capacity(graph.files.len());
    for file in &graph.files {
        let text = match std::str::from_utf8(&file.bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                let before = String::from_utf8_lossy(&file.bytes[..error.valid_up_to()]);
                let fault =
                    Fault::deterministic(Code::SYNTAX, format!("source:{}", file.path), "the file is not UTF-8");
                let place = diagnostics::position(file.path.as_str(), &before, before.len());
                return Err(diagnostics::failure(vec![diagnostics::at(fault, place, &before)]));
            }
        };
        files.insert(id(file.path.as_str()), Arc::from(text));
    }
    Ok(files)
}

/// The id of a file that lies at `../vendor/…` of a bundle.
fn vendor_id(path: &str) -> Option<String> {
    utf8(normalized(&Path::new(VENDOR).join(path.strip_prefix("../vendor/")?)))
}

fn utf8(path: PathBuf) -> Option<String> {
    path.into_os_string().into_string().ok()
}
