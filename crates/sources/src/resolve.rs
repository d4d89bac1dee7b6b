//! From a specifier to what it names. The bundler takes these answers, so both agree.

use mangrove_domain::{
    module_graph::EdgeTarget,
    source::{PathError, RelativePath},
};

use nodejs_built_in_modules::BUILTINS;

use super::{
    config::{Config, is_local},
    path::{join, parent},
    view::{Node, View},
};

/// Tried in this order after a path that names no file.
const PROBED_EXTENSIONS: [&str; 6] = [".ts", ".tsx", ".mts", ".js", ".mjs", ".json"];
/// The TypeScript file that a JavaScript name may stand for.
const TYPESCRIPT_TWINS: [(&str, &[&str]); 4] =
    [(".js", &[".ts", ".tsx"]), (".jsx", &[".tsx"]), (".mjs", &[".mts"]), (".cjs", &[".cts"])];

/// Where `specifier`, written in `importer`, leads.
pub(super) fn resolve(view: &mut View, config: &Config, importer: &str, specifier: &str) -> EdgeTarget {
    if specifier.is_empty() {
        return EdgeTarget::Missing;
    }
    let local = is_local(specifier).then(|| local_path(view, parent(importer), specifier));
    let key = match &local {
        Some(Ok(path)) => format!("/{path}"),
        // Import maps may give a meaning to paths of the file system.
        Some(Err(_)) if specifier.starts_with('/') => format!("file:{specifier}"),
        Some(Err(target)) => return target.clone(),
        None => specifier.to_owned(),
    };
    let mapped = config.imports.apply(importer, &key).or_else(|| config.packages.apply(importer, &key));
    match (mapped, local) {
        (Some(target), _) if target.starts_with('/') => match normalise(&target) {
            Ok(path) => probe(view, &path),
            Err(target) => target,
        },
        (Some(target), _) => external(&target),
        (None, Some(Ok(path))) => probe(view, &path),
        (None, Some(Err(target))) => target,
        (None, None) => external(specifier),
    }
}

/// True for names such as `zod` that only a map or a package.json can explain.
pub(super) fn is_bare(specifier: &str) -> bool {
    !is_local(specifier) && !specifier.contains(':') && !specifier.is_empty()
}

fn local_path(view: &View, directory: &str, specifier: &str) -> Result<String, EdgeTarget> {
    if specifier.starts_with('/') {
        // In a source, such a path is one of the file system.
        let root = view.root.directory.to_string_lossy();
        return match specifier.strip_prefix(root.as_ref()) {
            Some(rest) if rest.starts_with('/') => normalise(rest),
            _ => Err(EdgeTarget::OutsideRoot),
        };
    }
    normalise(&format!("{directory}/{specifier}"))
}

/// A path below the root from one with or without a leading slash.
fn normalise(path: &str) -> Result<String, EdgeTarget> {
    match RelativePath::parse(path.trim_start_matches('/')) {
        Ok(path) => Ok(path.as_str().to_owned()),
        Err(PathError::Empty) => Ok(String::new()),
        Err(PathError::Outside(_) | PathError::Absolute(_)) => Err(EdgeTarget::OutsideRoot),
    }
}

fn external(specifier: &str) -> EdgeTarget {
    if specifier.starts_with("file:") {
        return EdgeTarget::OutsideRoot;
    }
    // As Node and Deno have it, where nothing gives the name another meaning.
    if BUILTINS.contains(&specifier) {
        return EdgeTarget::External(format!("node:{specifier}"));
    }
    for scheme in ["npm:", "jsr:"] {
        if let Some(rest) = specifier.strip_prefix(scheme) {
            return EdgeTarget::External(format!("{scheme}{}", rest.trim_start_matches('/')));
        }
    }
    EdgeTarget::External(specifier.to_owned())
}

fn probe(view: &mut View, path: &str) -> EdgeTarget {
    let mut candidates = vec![path.to_owned()];
    for (extension, twins) in TYPESCRIPT_TWINS {
        if let Some(stem) = path.strip_suffix(extension) {
            candidates.extend(twins.iter().map(|twin| format!("{stem}{twin}")));
        }
    }
    if !path.is_empty() {
        candidates.extend(PROBED_EXTENSIONS.iter().map(|extension| format!("{path}{extension}")));
    }
    let mut is_directory = false;
    for (index, candidate) in candidates.iter().enumerate() {
        match view.node(candidate) {
            Node::File => return file(candidate),
            Node::Outside => return EdgeTarget::OutsideRoot,
            Node::Directory => is_directory |= index == 0,
            Node::Absent => {}
        }
    }
    if is_directory {
        for extension in PROBED_EXTENSIONS {
            let candidate = join(path, &format!("index{extension}"));
            if view.node(&candidate) == Node::File {
                return file(&candidate);
            }
        }
    }
    EdgeTarget::Missing
}

fn file(path: &str) -> EdgeTarget {
    RelativePath::parse(path).map_or(EdgeTarget::Missing, EdgeTarget::File)
}
