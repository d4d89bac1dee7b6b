//! From a specifier to what it names. The bundler takes these answers, so both agree.

use std::borrow::Cow;

use mangrove_domain::{
    module_graph::EdgeTarget,
    source::{PathError, RelativePath},
};

use nodejs_built_in_modules::BUILTINS;
use percent_encoding::percent_decode_str;

use super::{
    config::{Config, is_local},
    package_imports::{Named, PackageImports},
    path::{join, parent},
    view::{Node, View},
};

/// Tried in this order after a path that names no file.
const PROBED_EXTENSIONS: [&str; 6] = [".ts", ".tsx", ".mts", ".js", ".mjs", ".json"];
/// The TypeScript file that a JavaScript name may stand for.
const TYPESCRIPT_TWINS: [(&str, &[&str]); 4] =
    [(".js", &[".ts", ".tsx"]), (".jsx", &[".tsx"]), (".mjs", &[".mts"]), (".cjs", &[".cts"])];

/// Where `specifier`, written in `importer`, leads. `own_names` are those of the importer's package.
pub(super) fn resolve(
    view: &mut View,
    config: &Config,
    own_names: Option<&PackageImports>,
    importer: &str,
    specifier: &str,
) -> EdgeTarget {
    if specifier.is_empty() {
        return EdgeTarget::Missing;
    }
    let local = is_local(specifier).then(|| local_path(view, parent(importer), specifier));
    let key = match &local {
        Some(Ok(path)) => format!("/{path}{}", parts(specifier).1),
        // Import maps may give a meaning to paths of the file system.
        Some(Err(_)) if specifier.starts_with('/') => format!("file:{specifier}"),
        Some(Err(target)) => return target.clone(),
        None => specifier.to_owned(),
    };
    let mapped = config.imports.apply(importer, &key).or_else(|| config.packages.apply(importer, &key));
    match (mapped, local) {
        (Some(target), _) if target.starts_with('/') => {
            match decoded(&target).ok_or(EdgeTarget::Missing).and_then(|path| normalise(&path)) {
                Ok(path) => probe(view, &path),
                Err(target) => target,
            }
        }
        (Some(target), _) => external(&target),
        (None, Some(Ok(path))) => probe(view, &path),
        (None, Some(Err(target))) => target,
        (None, None) => match own_names.and_then(|names| names.resolve(view, specifier)) {
            None => external(specifier),
            Some(Named::Place(target)) => target,
            Some(Named::Other(target)) => {
                external(config.packages.apply(importer, &target).as_deref().unwrap_or(&target))
            }
        },
    }
}

/// True for names such as `zod` that only a map or a package.json can explain.
pub(super) fn is_bare(specifier: &str) -> bool {
    !is_local(specifier) && !specifier.contains(':') && !specifier.is_empty()
}

/// The path below the root that a specifier names in a source of `directory`. A specifier is an address: what stands behind `?`
/// and `#` names no other file, and escapes are resolved.
pub(super) fn local_path(view: &View, directory: &str, specifier: &str) -> Result<String, EdgeTarget> {
    if specifier.starts_with('/') {
        // In a source, such a path is one of the file system.
        let path = decoded(specifier).ok_or(EdgeTarget::Missing)?;
        let root = view.root.directory.to_string_lossy();
        return match path.strip_prefix(root.as_ref()) {
            Some(rest) if rest.starts_with('/') => normalise(rest),
            _ => Err(EdgeTarget::OutsideRoot),
        };
    }
    let path = decoded(specifier).ok_or(EdgeTarget::Missing)?;
    normalise(&format!("{directory}/{path}"))
}

/// The path that a relative or absolute specifier spells; `None` if its escapes are no text.
fn decoded(specifier: &str) -> Option<String> {
    let path = parts(specifier).0.replace('\\', "/");
    let path = percent_decode_str(&path).decode_utf8().ok().map(Cow::into_owned)?;
    (!path.contains('\0')).then_some(path)
}

/// The path of a specifier that is a path, and the query and fragment behind it.
fn parts(specifier: &str) -> (&str, &str) {
    specifier.split_at(specifier.find(['?', '#']).unwrap_or(specifier.len()))
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
