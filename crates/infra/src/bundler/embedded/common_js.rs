//! Local files that are `CommonJS`: what others import of them is what Node and Deno give.

use std::{collections::BTreeSet, path::Path};

use mangrove_domain::bundle::UNLIKE_DENO;
use oxc_allocator::Allocator;
use oxc_ast::ast::{Expression, IdentifierReference, StaticMemberExpression};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::SourceType;

use super::super::vendor::{
    common_js::exports,
    made_up::{self, Form, ORIGINAL},
};

/// Begins the id of the module that stands between a `CommonJS` file and what imports it; the id of the file follows.
const ENTRY: &str = "mangrove-common-js:";
/// Ends such an id: by it the bundler knows an ES module.
const MODULE: &str = ".mjs";

/// A local file that is `CommonJS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommonJs {
    /// What others can import of it by name.
    names: BTreeSet<String>,
    /// Where it is something else in Deno.
    pub(super) remark: Option<String>,
}

/// What a file is, if it is `CommonJS`: by its name, or, for `.js`, by its text.
pub(super) fn read(path: &str, text: &str) -> Option<CommonJs> {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str())?;
    let is_by_name = extension == "cjs";
    let words = ["require(", "module.exports", "exports.", "exports["];
    if !is_by_name && (extension != "js" || !words.iter().any(|word| text.contains(word))) {
        return None;
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::cjs()).parse();
    if parsed.panicked || parsed.module_record.has_module_syntax {
        return None;
    }
    let mut asked = Asked(false);
    asked.visit_program(&parsed.program);
    if !is_by_name && !asked.0 {
        return None;
    }
    let mut names = exports(text).found.own;
    // Both are all of `module.exports`, whatever that has by these names.
    names.retain(|name| name != "default" && name != "module.exports");
    let is_strict = parsed.program.directives.iter().any(|directive| directive.directive == "use strict");
    let remark = if !is_by_name {
        Some(format!(
            "{UNLIKE_DENO}`{path}` is CommonJS by its text, which it takes for an ES module, without `require` and `module`, unless a \
             package.json says `\"type\": \"commonjs\"`: write `export`, or call it `.cjs`"
        ))
    } else if is_strict {
        None
    } else {
        Some(format!(
            "{UNLIKE_DENO}`{path}` is CommonJS that is not strict, and runs as strict code: names have to be declared, and `this` of a \
             plain call is undefined; write `\"use strict\";` in its first line to see the same there"
        ))
    };
    Some(CommonJs { names, remark })
}

/// Whether a text names what only `CommonJS` has: `require`, `exports`, or `module.exports`.
struct Asked(bool);

impl<'a> Visit<'a> for Asked {
    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        self.0 |= matches!(name.name.as_str(), "require" | "exports");
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        let is_of_module = matches!(&member.object, Expression::Identifier(name) if name.name == "module");
        self.0 |= is_of_module && member.property.name == "exports";
        walk::walk_static_member_expression(self, member);
    }
}

/// The id of what is imported of the file with this id.
pub(super) fn entry_of(id: &str) -> String {
    format!("{ENTRY}{id}{MODULE}")
}

/// The id of the file behind such an id.
pub(super) fn file_of(id: &str) -> Option<&str> {
    id.strip_prefix(ENTRY)?.strip_suffix(MODULE)
}

/// The text of the module that is imported in the place of a file.
pub(super) fn entry(file: &str, common_js: &CommonJs) -> String {
    let form = Form::CommonJs { names: common_js.names.clone(), members: BTreeSet::new() };
    made_up::entry(file, &form, false)
}

/// Where the import of such a module leads.
pub(super) fn original(specifier: &str) -> Option<&str> {
    specifier.strip_prefix(ORIGINAL)
}
