//! Which variables a parsed expression reads.
//!
//! The masking of secrets rests on this, so it looks at what the interpreter will evaluate and at nothing else, and
//! where it cannot say which member of a variable is meant, it names the variable alone: all of it may be read.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::tree;

/// A variable and the members that are taken of it, by constant names.
type Path = Vec<String>;

/// The paths that `expression` reads, each once, sorted. Variables of comprehensions and functions are not among them.
pub(super) fn of(expression: &IdedExpr) -> Vec<Path> {
    let mut found = BTreeSet::new();
    collect(expression, &mut Vec::new(), &mut found);
    found.into_iter().collect()
}

/// The paths of which `expression` asks whether they are there: `has(inputs.zone)`, `inputs.?zone`, `inputs[?"zone"]`. Sorted,
/// each once.
pub(super) fn asked_for(expression: &IdedExpr) -> Vec<Path> {
    let mut found = BTreeSet::new();
    let mut open = vec![expression];
    while let Some(expression) = open.pop() {
        let asks = match &expression.expr {
            Expr::Select(select) => select.test,
            Expr::Call(call) => [operators::OPT_INDEX, operators::OPT_SELECT].contains(&call.func_name.as_str()),
            _ => false,
        };
        found.extend(asks.then(|| path(expression, &[])).flatten());
        open.extend(tree::parts(expression));
    }
    found.into_iter().collect()
}

/// Adds what `expression` reads; `bound` are the variables of the comprehensions around it.
fn collect(expression: &IdedExpr, bound: &mut Vec<String>, found: &mut BTreeSet<Path>) {
    if let Some(path) = path(expression, bound) {
        found.insert(path);
        return;
    }
    match &expression.expr {
        Expr::Select(select) => collect(&select.operand, bound, found),
        Expr::Call(call) => {
            call.target.as_deref().into_iter().chain(&call.args).for_each(|part| collect(part, bound, found));
        }
        Expr::Comprehension(comprehension) => collect_comprehension(comprehension, bound, found),
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, bound, found)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| collect_entry(&entry.expr, bound, found)),
        Expr::Struct(value) => value.entries.iter().for_each(|entry| collect_entry(&entry.expr, bound, found)),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn collect_entry(entry: &EntryExpr, bound: &mut Vec<String>, found: &mut BTreeSet<Path>) {
    match entry {
        EntryExpr::MapEntry(entry) => {
            collect(&entry.key, bound, found);
            collect(&entry.value, bound, found);
        }
        EntryExpr::StructField(field) => collect(&field.value, bound, found),
    }
}

/// The range and the first value of a comprehension are evaluated outside of it; its result knows only what was
/// accumulated.
fn collect_comprehension(inner: &ComprehensionExpr, bound: &mut Vec<String>, found: &mut BTreeSet<Path>) {
    collect(&inner.iter_range, bound, found);
    collect(&inner.accu_init, bound, found);
    let outside = bound.len();
    bound.push(inner.accu_var.clone());
    collect(&inner.result, bound, found);
    bound.push(inner.iter_var.clone());
    bound.extend(inner.iter_var2.clone());
    collect(&inner.loop_cond, bound, found);
    collect(&inner.loop_step, bound, found);
    bound.truncate(outside);
}

/// The path that the whole of `expression` spells: `inputs.zone["id"]`. `None` for everything else, and for variables
/// that are bound.
fn path(expression: &IdedExpr, bound: &[String]) -> Option<Path> {
    match &expression.expr {
        Expr::Ident(name) => match name.strip_prefix('.') {
            // A leading dot means the outermost scope, whatever is bound.
            Some(name) => Some(vec![name.to_owned()]),
            // What the dialect adds is no variable.
            None => Some(vec![name.clone()]).filter(|_| !name.starts_with('@') && !bound.contains(name)),
        },
        Expr::Select(select) => member(&select.operand, &select.field, bound),
        Expr::Call(call) => {
            let (operand, key) = constant_index(call)?;
            member(operand, key, bound)
        }
        _ => None,
    }
}

fn member(operand: &IdedExpr, name: &str, bound: &[String]) -> Option<Path> {
    let mut path = path(operand, bound)?;
    path.push(name.to_owned());
    Some(path)
}

/// What is indexed and the text by which it is: `x["key"]`, `x[?"key"]`, `x.?key`.
fn constant_index(call: &CallExpr) -> Option<(&IdedExpr, &str)> {
    let is_index = [operators::INDEX, operators::OPT_INDEX, operators::OPT_SELECT].contains(&call.func_name.as_str());
    match (call.args.as_slice(), &call.target) {
        ([operand, index], None) if is_index => match &index.expr {
            Expr::Literal(LiteralValue::String(key)) => Some((operand, key.inner())),
            _ => None,
        },
        _ => None,
    }
}
