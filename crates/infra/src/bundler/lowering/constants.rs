//! Assignments to what cannot be assigned to: an error when they are made, and not before, as in the language.

use oxc_allocator::Allocator;
use oxc_ast::{
    AstKind,
    ast::{AssignmentOperator, AssignmentTarget},
};
use oxc_parser::Parser;
use oxc_semantic::{AstNode, AstNodes, Semantic, SemanticBuilder};
use oxc_span::{GetSpan, SourceType, Span};
use oxc_syntax::symbol::SymbolId;
use rolldown_sourcemap::SourceMap;

use super::{Source, edits::Edits, free_name, start_of_code};

/// The module of [`HELPER_SOURCE`], as changed files import it.
pub(super) const HELPER: &str = "mangrove:constants";
/// What is called in the place of such an assignment.
pub(super) const HELPER_SOURCE: &str = include_str!("constants.js");

/// The file with calls that throw in the place of assignments to constants and imports; `None` if it has none, or does not
/// parse.
pub(super) fn lower(source: Source<'_>) -> Option<(String, SourceMap)> {
    if !source.has_wrong_assignments {
        return None;
    }
    let source_type = SourceType::from_path(source.path).ok()?.with_module(true);
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source.text, source_type).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return None;
    }
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let scoping = semantic.scoping();
    let name = free_name(source.text, "__constant");
    let mut edits = Edits::default();
    for symbol in scoping.symbol_ids() {
        let flags = scoping.symbol_flags(symbol);
        if !flags.is_const_variable() && !flags.is_import() {
            continue;
        }
        let is_namespace = flags.is_import() && is_namespace(&semantic, symbol);
        for reference in scoping.get_resolved_references(symbol) {
            let node = semantic.nodes().get_node(reference.node_id());
            if reference.is_write() {
                replace(&mut edits, source.text, semantic.nodes(), node, &name);
            } else if is_namespace && changes_member(semantic.nodes(), node) {
                edits.open(node.kind().span().start, format!("({name}.sealed("));
                edits.insert(node.kind().span().end, "))");
            }
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.insert(start_of_code(source.text), format!("import * as {name} from \"{HELPER}\"; "));
    edits.apply(source.text)
}

fn is_namespace(semantic: &Semantic<'_>, symbol: SymbolId) -> bool {
    let declaration = semantic.scoping().symbol_declaration(symbol);
    matches!(semantic.nodes().kind(declaration), AstKind::ImportNamespaceSpecifier(_))
}

/// Puts a call in the place of an assignment to a name. What the assignment would evaluate before is evaluated.
fn replace(edits: &mut Edits, text: &str, nodes: &AstNodes<'_>, node: &AstNode<'_>, name: &str) {
    let span = node.kind().span();
    let own = span.source_text(text);
    let throws = format!("{name}.assigned()");
    match nodes.parent_kind(node.id()) {
        AstKind::AssignmentExpression(assignment) if is_at(&assignment.left, span) => {
            let (whole, right) = (assignment.span, assignment.right.span());
            let operator = assignment.operator;
            let (open, close) = match operator.to_logical_operator() {
                Some(logical) => (format!("({own} {} (", logical.as_str()), format!(", {throws}))")),
                None if operator == AssignmentOperator::Assign => ("(".to_owned(), format!(", {throws})")),
                None => {
                    let binary = operator.as_str().trim_end_matches('=');
                    (format!("({own} {binary} ("), format!("), {throws})"))
                }
            };
            edits.replace(whole.start, right.start, open);
            edits.insert(whole.end, close);
        }
        AstKind::UpdateExpression(update) => {
            edits.replace(update.span.start, update.span.end, format!("({own}, {throws})"));
        }
        // The short form of a member names both.
        AstKind::AssignmentTargetPropertyIdentifier(_) => {
            edits.replace(span.start, span.end, format!("{own}: {throws}.it"));
        }
        _ => edits.replace(span.start, span.end, format!("{throws}.it")),
    }
}

fn is_at(target: &AssignmentTarget<'_>, span: Span) -> bool {
    target.span() == span
}

/// True if a member of what this name stands for is assigned to or deleted.
fn changes_member<'n, 'a>(nodes: &'n AstNodes<'a>, node: &'n AstNode<'a>) -> bool {
    // What TypeScript says of a value is none of its own.
    let mut node = node;
    while let AstKind::ParenthesizedExpression(_)
    | AstKind::TSAsExpression(_)
    | AstKind::TSSatisfiesExpression(_)
    | AstKind::TSNonNullExpression(_)
    | AstKind::TSTypeAssertion(_) = nodes.parent_kind(node.id())
    {
        node = nodes.parent_node(node.id());
    }
    let member = nodes.parent_node(node.id());
    let is_member = match member.kind() {
        AstKind::StaticMemberExpression(member) => member.object.span() == node.kind().span(),
        AstKind::ComputedMemberExpression(member) => member.object.span() == node.kind().span(),
        _ => false,
    };
    let span = member.kind().span();
    is_member
        && match nodes.parent_kind(member.id()) {
            AstKind::AssignmentExpression(assignment) => is_at(&assignment.left, span),
            AstKind::UnaryExpression(unary) => unary.operator.is_delete(),
            AstKind::UpdateExpression(_)
            | AstKind::ChainExpression(_)
            | AstKind::ArrayAssignmentTarget(_)
            | AstKind::AssignmentTargetPropertyProperty(_)
            | AstKind::AssignmentTargetWithDefault(_)
            | AstKind::AssignmentTargetRest(_)
            | AstKind::ForInStatement(_)
            | AstKind::ForOfStatement(_) => true,
            _ => false,
        }
}
