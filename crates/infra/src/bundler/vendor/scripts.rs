//! `CommonJS` modules as Node runs them: each is the body of a function of its own, which is strict only if it says so.
//!
//! What the bundler makes of a `CommonJS` module is part of an ES module, and so strict: octal numbers, `with`, globals that are
//! made by assignment, `this` of a plain call, writing to what is frozen would be others. So the text of such a module is kept as
//! a text, and made into a function when it is asked for.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use mangrove_fs::read::{self, FileKind, Within};
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, BindingIdentifier, CallExpression, Expression, IdentifierReference, ImportExpression, Program,
    StaticMemberExpression, UnaryExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};
use oxc_syntax::operator::BinaryOperator;
use serde_json::Value;

/// What scripts import: the function that runs them.
pub(super) const RUNNER: &str = "mangrove-script:runner";
/// The id of its module.
pub(super) const RUNNER_ID: &str = "\0mangrove-script:runner";
/// What a module gets as the function in the place of `import()`.
const IMPORT: &str = "__mangroveImport";
/// How many files a `require` of a computed path may lead to.
const MOST_FILES: usize = 500;
/// How many directories deep they are looked for.
const DEEPEST: usize = 3;

/// The text of the module of [`RUNNER`]. A path below the module's own directory is looked for as a relative one. What
/// `Function` makes has two lines of its own before the text, which places in stacks would count.
pub(super) const RUNNER_SOURCE: &str = "\
const { resolve, cache, extensions, main } = require;
module.exports = (text, module, find, filename, dirname, dynamic) => {
  const own = (name) => (typeof name === 'string' && name.startsWith(`${dirname}/`) ? `.${name.slice(dirname.length)}` : name);
  const require = (name) => find(own(name));
  Object.assign(require, { resolve, cache, extensions, main });
  Object.assign(module, { id: filename, filename, path: dirname, loaded: false, children: [], paths: [] });
  const { exports } = module;
  const make = (0, eval)(`(function (__mangroveImport) { return function (exports, require, module, __filename, __dirname) {${text}\n}; })`);
  make(dynamic).call(exports, exports, require, module, filename, dirname);
  module.loaded = true;
};
";

/// The module that runs `code` as a script; `None` if that changes nothing: it is an ES module, or strict from its first statement and
/// asks for no computed path. `name` is what stacks call it. `files` gives the files below a directory, relative to it.
pub(super) fn adapted(code: &str, name: &str, files: impl Fn(&str) -> Vec<String>) -> Option<String> {
    let code = code.strip_prefix('\u{feff}').unwrap_or(code);
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::cjs()).parse();
    // The parser takes what only ES modules have without a word.
    if parsed.panicked || !parsed.diagnostics.is_empty() || parsed.module_record.has_module_syntax {
        return None;
    }
    let found = Requires::of(&parsed.program);
    let is_strict = parsed.program.directives.iter().any(|directive| directive.directive == "use strict");
    if is_strict && found.beginnings.is_empty() {
        return None;
    }
    let mut cases = String::new();
    let mut known = BTreeSet::new();
    // Writing into a string cannot fail.
    for specifier in &found.specifiers {
        known.insert(specifier.clone());
        let specifier = Value::from(specifier.as_str());
        let _ = writeln!(cases, "    case {specifier}: return require({specifier});");
    }
    let mut refused = String::new();
    for beginning in &found.beginnings {
        let mut leads_to = leads_to(beginning, &files);
        if leads_to.len() > MOST_FILES {
            refused.push_str(&refusal(beginning, leads_to.len()));
            leads_to.truncate(MOST_FILES);
        }
        for file in leads_to {
            let without = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem).to_owned();
            let target = Value::from(file.as_str());
            for specifier in [file.clone(), without] {
                if known.insert(specifier.clone()) {
                    let _ = writeln!(cases, "    case {}: return require({target});", Value::from(specifier));
                }
            }
        }
    }
    let mut text = code.to_owned();
    for span in found.imports.iter().rev() {
        text.replace_range(span.start as usize..span.start as usize + "import".len(), IMPORT);
    }
    if text.starts_with("#!") {
        text.replace_range(..2, "//");
    }
    let _ = write!(text, "\n//# sourceURL={}", name.replace(char::is_whitespace, "_"));
    let dynamic = if found.imports.is_empty() { String::new() } else { dynamic(&found.dynamic) };
    Some(format!(
        "require(\"{RUNNER}\")({}, module, (name) => {{\n  switch (name) {{\n{cases}    default:{refused} return require(name);\n  }}\n}}, \
         __filename, __dirname{dynamic});\n",
        Value::from(text)
    ))
}

/// What stands in the place of `import()` for these specifiers.
fn dynamic(specifiers: &BTreeSet<String>) -> String {
    let mut cases = String::new();
    for specifier in specifiers {
        let specifier = Value::from(specifier.as_str());
        let _ = writeln!(cases, "    case {specifier}: return import({specifier});");
    }
    format!(", (name) => {{\n  switch (name) {{\n{cases}    default: return import(name);\n  }}\n}}")
}

/// What is said of a path with this beginning that is none of those that a bundle holds. Its code is none of Node's, so that nobody takes
/// it for a file that is not there.
fn refusal(beginning: &str, count: usize) -> String {
    let about = format!(
        "' is no part of this bundle, which holds the first {MOST_FILES} of {count} files whose path begins with '{beginning}'"
    );
    format!(
        "\n      if (typeof name === 'string' && name.startsWith({})) throw Object.assign(new Error(\"'\" + name + {}), {{ code: \
         'ERR_MANGROVE_BUNDLE_LIMIT' }});\n     ",
        Value::from(beginning),
        Value::from(about)
    )
}

/// The files that a path with this beginning may lead to, as they are required.
fn leads_to(beginning: &str, files: &impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let Some(slash) = beginning.rfind('/') else { return Vec::new() };
    let (directory, start) = beginning.split_at(slash + 1);
    let mut found: Vec<String> = files(directory).into_iter().filter(|file| file.starts_with(start)).collect();
    found.sort();
    found.into_iter().map(|file| format!("{directory}{file}")).collect()
}

/// The files below a directory that a `require` can give, relative to it, and as deep as that makes sense. Packages inside of it are
/// left out, and so are files that nobody could load: what only may be asked for must not keep a package from being built.
pub(super) fn modules_below(module: &Path, directory: &str) -> Vec<String> {
    let Some(around) = module.parent() else { return Vec::new() };
    // A path that begins with no name leads to what lies beside the module, and hardly to its examples and tests.
    let depth = if directory.trim_matches(['.', '/']).is_empty() { DEEPEST } else { 0 };
    let mut found = Vec::new();
    collect(&around.join(directory), "", depth, &mut found);
    found
}

fn collect(directory: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        if kind.is_dir() && depth < DEEPEST && name != "node_modules" {
            collect(&entry.path(), &format!("{prefix}{name}/"), depth + 1, found);
        } else if kind.is_file() && can_be_loaded(&entry.path()) {
            found.push(format!("{prefix}{name}"));
        }
    }
}

fn can_be_loaded(path: &Path) -> bool {
    let text = || read::text(path, Within::Anywhere, FileKind::Source).ok();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => text().is_some_and(|text| {
            serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')).is_ok()
        }),
        Some("js" | "cjs") => text().is_some_and(|text| {
            let allocator = Allocator::default();
            let parsed = Parser::new(&allocator, &text, SourceType::cjs()).parse();
            !parsed.panicked && parsed.diagnostics.is_empty()
        }),
        _ => false,
    }
}

/// What a module asks for.
#[derive(Default)]
struct Requires {
    /// What is written out.
    specifiers: BTreeSet<String>,
    /// The beginnings of paths that are put together: `./locale/`.
    beginnings: BTreeSet<String>,
    /// Beginnings that other functions than `require` get.
    of_others: BTreeSet<String>,
    /// Whether `require` is handed on, to be called by another name.
    is_handed_on: bool,
    /// The places of `import()`.
    imports: Vec<Span>,
    /// What is written out in these.
    dynamic: BTreeSet<String>,
}

impl Requires {
    fn of(program: &Program<'_>) -> Self {
        let mut found = Self::default();
        found.visit_program(program);
        if found.is_handed_on {
            let others = std::mem::take(&mut found.of_others);
            found.beginnings.extend(others);
        }
        found.imports.sort_by_key(|span| span.start);
        found
    }
}

impl<'a> Visit<'a> for Requires {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let Expression::Identifier(callee) = &call.callee else {
            walk::walk_call_expression(self, call);
            return;
        };
        let first = call.arguments.first().and_then(Argument::as_expression);
        match (first.and_then(written_out), first.and_then(beginning)) {
            (Some(specifier), _) if callee.name == "require" => {
                self.specifiers.insert(specifier.to_owned());
            }
            (None, Some(beginning)) if callee.name == "require" => {
                self.beginnings.insert(beginning);
            }
            (None, Some(beginning)) => {
                self.of_others.insert(beginning);
            }
            _ => {}
        }
        // The callee itself hands nothing on.
        for argument in &call.arguments {
            self.visit_argument(argument);
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.imports.push(import.span);
        self.dynamic.extend(written_out(&import.source).map(str::to_owned));
        walk::walk_import_expression(self, import);
    }

    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        self.is_handed_on |= name.name == "require";
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        // `require.resolve` and its like.
        if !is_named(&member.object, "require") {
            walk::walk_static_member_expression(self, member);
        }
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        if !(unary.operator.is_typeof() && is_named(&unary.argument, "require")) {
            walk::walk_unary_expression(self, unary);
        }
    }
}

fn is_named(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::Identifier(found) if found.name == name)
}

fn written_out<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) if text.expressions.is_empty() => {
            text.quasis.first()?.value.cooked.as_ref().map(oxc_ast::ast::Str::as_str)
        }
        _ => None,
    }
}

/// The beginning of a path that is put together, if it is relative and names a directory.
fn beginning(expression: &Expression<'_>) -> Option<String> {
    let written = match expression {
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => match &sum.left {
            left if is_named(left, "__dirname") => format!(".{}", written_out(&sum.right)?),
            Expression::BinaryExpression(inner) if is_named(&inner.left, "__dirname") => {
                format!(".{}", written_out(&inner.right)?)
            }
            left => written_out(left).map(str::to_owned).or_else(|| beginning(left))?,
        },
        Expression::TemplateLiteral(text) => {
            let part = |index: usize| text.quasis.get(index)?.value.cooked.as_ref().map(oxc_ast::ast::Str::as_str);
            match (part(0)?, text.expressions.first()) {
                ("", Some(first)) if is_named(first, "__dirname") => format!(".{}", part(1)?),
                (first, _) => first.to_owned(),
            }
        }
        Expression::CallExpression(call) => {
            // `path.join(__dirname, "locale", name)`
            let mut parts = call.arguments.iter().filter_map(Argument::as_expression);
            if !parts.next().is_some_and(|first| is_named(first, "__dirname")) {
                return None;
            }
            parts
                .map_while(written_out)
                .fold("./".to_owned(), |path, part| format!("{path}{}/", part.trim_matches('/')))
        }
        _ => return None,
    };
    let is_relative = written.starts_with("./") || written.starts_with("../");
    is_relative.then_some(written)
}

/// The text with what Node's ES modules say of `typeof require`; `None` if it does not ask, or is no ES module: one is what
/// imports or exports something, or what its name or manifest makes one, as `is_module` says. Any other text may be a strict
/// `CommonJS` module, which has a `require`.
pub(super) fn without_require(code: &str, is_module: bool) -> Option<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() || !(is_module || parsed.module_record.has_module_syntax) {
        return None;
    }
    let mut asked = Asked::default();
    asked.visit_program(&parsed.program);
    if asked.is_declared {
        return None;
    }
    let mut text = code.to_owned();
    for span in asked.places.iter().rev() {
        text.replace_range(span.start as usize..span.end as usize, "\"undefined\"");
    }
    (!asked.places.is_empty()).then_some(text)
}

/// The places of `typeof require`, and whether the module declares one itself.
#[derive(Default)]
struct Asked {
    places: Vec<Span>,
    is_declared: bool,
}

impl<'a> Visit<'a> for Asked {
    fn visit_binding_identifier(&mut self, name: &BindingIdentifier<'a>) {
        self.is_declared |= name.name == "require";
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        if unary.operator.is_typeof() && is_named(&unary.argument, "require") {
            self.places.push(unary.span);
        }
        walk::walk_unary_expression(self, unary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(code: &str) -> Vec<String> {
        let files = |directory: &str| match directory {
            "./locale/" => ["de.js", "fr/index.js", "data.json"].map(str::to_owned).to_vec(),
            _ => Vec::new(),
        };
        let text = adapted(code, "pkg/index.js", files).unwrap_or_default();
        let cases = text.lines().filter_map(|line| line.trim().strip_prefix("case \"")?.split_once("\": "));
        cases.map(|(specifier, _)| specifier.to_owned()).collect()
    }

    #[test]
    fn es_modules_and_strict_scripts_stay_as_they_are() {
        for code in [
            "export const a = 1;",
            "import 'a';",
            "'use strict'; module.exports = require('./a');",
            "/* © */ \"use strict\";\nexports.a = 1;",
            "await 0;",
            "syntax error",
        ] {
            assert_eq!(adapted(code, "pkg/index.js", |_| Vec::new()), None, "{code}");
        }
        for code in ["exports.a = 010;", "", "'other'; exports.a = 1;", "(function () { 'use strict'; })()", "return;"]
        {
            assert!(adapted(code, "pkg/index.js", |_| Vec::new()).is_some(), "{code}");
        }
    }

    #[test]
    fn what_is_required_is_found_whether_it_is_written_out_or_put_together() {
        assert_eq!(
            cases("require('./a'); require(`b`); require.resolve('c'); other('./d'); typeof require;"),
            ["./a", "b"]
        );
        let all = [
            "./locale/data.json",
            "./locale/data",
            "./locale/de.js",
            "./locale/de",
            "./locale/fr/index.js",
            "./locale/fr/index",
        ];
        for code in [
            "require('./locale/' + name)",
            "'use strict'; require('./locale/' + name + '.js')",
            "require(`./locale/${name}`)",
            "require(__dirname + '/locale/' + name)",
            "require(`${__dirname}/locale/${name}.js`)",
            "require(path.join(__dirname, 'locale', name))",
            "var kept = require; kept('./locale/' + name)",
        ] {
            assert_eq!(cases(code), all, "{code}");
        }
        assert_eq!(
            cases("require('./locale/d' + name)"),
            ["./locale/data.json", "./locale/data", "./locale/de.js", "./locale/de"]
        );
        for code in ["require(name)", "require('./' + name)", "require('locale/' + name)", "other('./locale/' + name)"]
        {
            assert!(cases(code).is_empty(), "{code}");
        }
    }

    #[test]
    fn a_path_that_may_mean_too_many_files_says_so_for_those_that_are_left_out() {
        let adapted = |count: usize| {
            let files = |_: &str| (0..count).map(|number| format!("{number:04}.js")).collect();
            adapted("module.exports = (name) => require('./all/' + name);", "pkg/index.js", files).unwrap_or_default()
        };
        let all = adapted(MOST_FILES);
        assert!(all.contains("\"./all/0499.js\"") && !all.contains("ERR_MANGROVE_BUNDLE_LIMIT"), "{all}");
        let cut = adapted(MOST_FILES + 1);
        assert!(cut.contains("\"./all/0499.js\"") && !cut.contains("\"./all/0500.js\""), "{cut}");
        assert!(cut.contains("name.startsWith(\"./all/\")") && cut.contains("the first 500 of 501 files"), "{cut}");
    }

    #[test]
    fn an_import_of_a_script_goes_through_the_module() {
        let text =
            adapted("#!/bin/env node\nimport('./a').then(import(name))", "a b.js", |_| Vec::new()).unwrap_or_default();
        assert!(text.contains("///bin/env node\\n__mangroveImport('./a').then(__mangroveImport(name))"), "{text}");
        assert!(text.contains("case \"./a\": return import(\"./a\");") && text.contains("sourceURL=a_b.js"), "{text}");
    }

    #[test]
    fn an_es_module_has_no_require() {
        let asked = |code: &str| without_require(code, false);
        assert_eq!(asked("export const a = typeof require;").as_deref(), Some("export const a = \"undefined\";"));
        for code in [
            "const require = make(); export const a = typeof require;",
            "import { createRequire as require } from 'module'; typeof require;",
            "export const a = 'typeof require';",
        ] {
            assert_eq!(asked(code), None, "{code}");
        }
        // Without a word that only ES modules have, its name and its manifest say what a text is.
        let strict = "'use strict'; module.exports = typeof require;";
        assert_eq!(without_require(strict, false), None);
        assert_eq!(
            without_require("globalThis.a = typeof require;", true).as_deref(),
            Some("globalThis.a = \"undefined\";")
        );
    }
}
