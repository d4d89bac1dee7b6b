//! Walking over parsed expressions without recursion, however deep they are.

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr},
};

/// How deep an expression is nested.
pub(super) fn depth(tree: &IdedExpr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(tree, 1)];
    while let Some((node, depth)) = open.pop() {
        deepest = deepest.max(depth);
        open.extend(parts(node).into_iter().map(|part| (part, depth + 1)));
    }
    deepest
}

/// Whether a function of this name is called.
pub(super) fn calls(tree: &IdedExpr, name: &str) -> bool {
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        if matches!(&node.expr, Expr::Call(call) if call.func_name == name) {
            return true;
        }
        open.extend(parts(node));
    }
    false
}

/// The expressions that an expression consists of.
pub(super) fn parts(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(it) => {
            vec![&it.iter_range, &it.accu_init, &it.loop_cond, &it.loop_step, &it.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| parts_of_entry(&entry.expr)).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Struct(value) => value.entries.iter().flat_map(|entry| parts_of_entry(&entry.expr)).collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn parts_of_entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}
