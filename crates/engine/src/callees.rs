//! What was called at a place, in the words in which V8 names it: the engine itself says "not a function" and no more.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, BinaryExpression, CallExpression, ClassBody, Expression, Function, IdentifierReference,
    NewExpression, TaggedTemplateExpression,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan as _, SourceType};
use oxc_syntax::scope::ScopeFlags;

/// Of a longer file nothing is told, in bytes: it is read as a whole for one message.
const LONGEST: usize = 4 << 20;
/// What is always there: a call of one of these is not the one that failed.
const THERE: &[&str] =
    &["Array", "Boolean", "JSON", "Math", "Number", "Object", "Promise", "Reflect", "String", "Symbol", "console"];

/// The callees of the files that were asked about.
#[derive(Debug, Default)]
pub(super) struct Callees {
    files: Mutex<HashMap<String, File>>,
}

/// By the place that the engine gives to a call: the texts of what is called there. Calls inside of one another may have one place.
type File = HashMap<(u32, u32), Vec<String>>;

impl Callees {
    /// What is called at this line and column, both from 1, of the file of this name. `text` gives the file. `None` if nothing is,
    /// or more than one thing.
    pub(super) fn at(
        &self,
        name: &str,
        line: u32,
        column: u32,
        text: impl FnOnce() -> Option<Arc<str>>,
    ) -> Option<String> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.entry(name.to_owned()).or_insert_with(|| text().map(|text| read(&text)).unwrap_or_default());
        let is_doubtful = |callee: &&String| {
            let root = callee.split(['.', '[', '(', '?']).next().unwrap_or_default();
            !THERE.contains(&root)
        };
        let callees = file.get(&(line, column))?;
        let mut doubtful = callees.iter().filter(is_doubtful);
        doubtful.next().filter(|_| doubtful.next().is_none()).cloned()
    }
}

fn read(text: &str) -> File {
    let mut file = File::new();
    if text.len() > LONGEST {
        return file;
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::mjs()).parse();
    let mut calls = Calls { text, functions: vec![BTreeSet::new()], around: vec![0], found: Vec::new() };
    calls.visit_program(&parsed.program);
    let mut lines = vec![0];
    lines.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    for Call { function, start, end, callee } in calls.found {
        let Some(offset) = calls.functions.get(function).and_then(|places| places.range(start..end).next_back()) else {
            continue;
        };
        let line = lines.partition_point(|start| start <= offset);
        // Columns are counted in characters.
        let before = line.checked_sub(1).and_then(|line| lines.get(line)).and_then(|start| text.get(*start..*offset));
        if let (Ok(line), Some(before)) = (u32::try_from(line), before)
            && let Ok(column) = u32::try_from(before.chars().count() + 1)
        {
            file.entry((line, column)).or_default().push(callee);
        }
    }
    file
}

/// Finds calls, and the places that the engine remembers while it goes through a function. It takes the last one before a call for
/// the place of the call, also where that belongs to an argument.
struct Calls<'t> {
    text: &'t str,
    /// The places of each function.
    functions: Vec<BTreeSet<usize>>,
    /// The functions around.
    around: Vec<usize>,
    found: Vec<Call>,
}

struct Call {
    function: usize,
    /// Where the first of its places can be.
    start: usize,
    end: usize,
    callee: String,
}

impl Calls<'_> {
    fn function(&self) -> usize {
        self.around.last().copied().unwrap_or_default()
    }

    fn place(&mut self, offset: usize) {
        let function = self.function();
        if let Some(places) = self.functions.get_mut(function) {
            places.insert(offset);
        }
    }

    /// What follows is the work of another function.
    fn inside(&mut self, walk: impl FnOnce(&mut Self)) {
        self.around.push(self.functions.len());
        self.functions.push(BTreeSet::new());
        walk(self);
        self.around.pop();
    }

    fn note(&mut self, start: usize, end: u32, callee: &Expression<'_>) {
        self.place(start);
        let function = self.function();
        self.found.push(Call { function, start, end: end as usize, callee: shown(callee) });
    }
}

impl<'a> Visit<'a> for Calls<'_> {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let end = call.callee.span().end as usize;
        let rest = self.text.get(end..).unwrap_or_default();
        if let Some(opening) = rest.find('(') {
            // The first word inside.
            let inside = rest[opening + 1..].trim_start();
            self.note(end + rest.len() - inside.len(), call.span.end, &call.callee);
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, call: &NewExpression<'a>) {
        self.note(call.callee.span().start as usize, call.span.end, &call.callee);
        walk::walk_new_expression(self, call);
    }

    fn visit_tagged_template_expression(&mut self, call: &TaggedTemplateExpression<'a>) {
        self.note(call.quasi.span.start as usize, call.span.end, &call.tag);
        walk::walk_tagged_template_expression(self, call);
    }

    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        self.place(name.span.start as usize);
    }

    fn visit_binary_expression(&mut self, binary: &BinaryExpression<'a>) {
        self.place(binary.right.span().start as usize);
        walk::walk_binary_expression(self, binary);
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.inside(|calls| walk::walk_function(calls, function, flags));
    }

    fn visit_arrow_function_expression(&mut self, arrow: &ArrowFunctionExpression<'a>) {
        self.inside(|calls| walk::walk_arrow_function_expression(calls, arrow));
    }

    fn visit_class_body(&mut self, body: &ClassBody<'a>) {
        self.inside(|calls| walk::walk_class_body(calls, body));
    }
}

/// An expression as V8 prints it in its messages.
fn shown(expression: &Expression<'_>) -> String {
    match expression.without_parentheses() {
        Expression::Identifier(name) => name.name.to_string(),
        Expression::ThisExpression(_) => "this".to_owned(),
        Expression::NullLiteral(_) => "null".to_owned(),
        Expression::BooleanLiteral(literal) => literal.value.to_string(),
        Expression::NumericLiteral(literal) => literal.value.to_string(),
        Expression::StringLiteral(text) => format!("\"{}\"", text.value),
        Expression::StaticMemberExpression(member) => {
            let link = if member.optional { "?." } else { "." };
            format!("{}{link}{}", shown(&member.object), member.property.name)
        }
        Expression::PrivateFieldExpression(member) => format!("{}.#{}", shown(&member.object), member.field.name),
        Expression::ComputedMemberExpression(member) => match &member.expression {
            Expression::StringLiteral(name) => format!("{}.{}", shown(&member.object), name.value),
            inner => format!("{}[{}]", shown(&member.object), shown(inner)),
        },
        Expression::CallExpression(call) => format!("{}(...)", shown(&call.callee)),
        Expression::ChainExpression(chain) => chain.expression.as_member_expression().map_or_else(
            || "(intermediate value)".to_owned(),
            |member| {
                let object = shown(member.object());
                let link = if member.optional() { "?." } else { "." };
                member
                    .static_property_name()
                    .map_or_else(|| format!("{object}[...]"), |name| format!("{object}{link}{name}"))
            },
        ),
        _ => "(intermediate value)".to_owned(),
    }
}
