//! The dialect: which functions there are, and what a parsed expression becomes before it is evaluated.
//!
//! The interpreter evaluates its operators itself, so what differs is renamed: `a + b` becomes `@add(a, b)`, a function of
//! ours. No text that a person writes contains these names.

use std::{collections::BTreeSet, sync::Arc};

use cel::{
    DeclarationError, Env, IdedExpr,
    common::{
        ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr, operators},
        functions::Function,
        types::DYN_TYPE,
    },
    parser::Macro,
};
use mangrove_domain::ports::EXPRESSION_FUNCTIONS;

use super::{
    arithmetic, bytes, conversions,
    functions::{FUNCTIONS, ROUNDS},
    literals, texts,
};

/// Functions that take a receiver: their name, how many further arguments they take, and what they do.
const MEMBERS: [(&str, usize, Function); 18] = [
    ("lowerAscii", 0, texts::lower_ascii),
    ("upperAscii", 0, texts::upper_ascii),
    ("trim", 0, texts::trim),
    ("split", 1, texts::split),
    ("split", 2, texts::split),
    ("substring", 1, texts::substring),
    ("substring", 2, texts::substring),
    ("indexOf", 1, texts::index_of),
    ("indexOf", 2, texts::index_of),
    ("lastIndexOf", 1, texts::last_index_of),
    ("lastIndexOf", 2, texts::last_index_of),
    ("join", 0, texts::join),
    ("join", 1, texts::join),
    ("json", 0, bytes::json),
    ("hex", 0, bytes::hex),
    ("string", 0, bytes::string),
    ("base64", 0, bytes::base64),
    ("at", 1, bytes::at),
];

/// What expressions are renamed to.
const OURS: [(&str, usize, Function); 12] = [
    ("@add", 2, arithmetic::add),
    ("@subtract", 2, arithmetic::subtract),
    ("@multiply", 2, arithmetic::multiply),
    ("@divide", 2, arithmetic::divide),
    ("@remainder", 2, arithmetic::remainder),
    ("@less", 2, arithmetic::less),
    ("@at_most", 2, arithmetic::at_most),
    ("@greater", 2, arithmetic::greater),
    ("@at_least", 2, arithmetic::at_least),
    ("@string", 1, conversions::string),
    ("@span", 1, conversions::span),
    ("@mapping", 1, literals::mapping),
];

/// What a lazily evaluated optional is bound to.
const OPTIONAL: &str = "@optional";

/// The functions and macros that expressions may use.
pub(super) fn environment() -> Result<Arc<Env>, DeclarationError> {
    let mut environment = Env::stdlib();
    for (name, arguments, function) in MEMBERS {
        let kinds = (0..arguments).map(|_| DYN_TYPE).collect();
        environment.add_member_overload(name, &format!("of_{name}_{arguments}"), DYN_TYPE, kinds, function)?;
    }
    for (name, arguments, function) in OURS {
        environment.add_overload(name, name, (0..arguments).map(|_| DYN_TYPE).collect(), function)?;
    }
    environment.add_macro(Macro::receiver("bind", 3, |helper, target, arguments| {
        let is_ours = target.as_ref().is_some_and(|it| matches!(&it.expr, Expr::Ident(name) if name == "cel"));
        let name = match arguments.first().map(|it| &it.expr) {
            Some(Expr::Ident(name)) if is_ours => name.clone(),
            _ => return Ok(None),
        };
        let (body, value) = (arguments.pop(), arguments.pop());
        *target = None;
        Ok(Some(helper.next_expr(binding(name, value.unwrap_or_default(), body.unwrap_or_default()))))
    }))?;
    Ok(Arc::new(environment))
}

/// `body` with `name` bound to `value`: a comprehension over nothing, whose accumulator is the value.
fn binding(name: String, value: IdedExpr, body: IdedExpr) -> Expr {
    Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: node(Expr::List(ListExpr::new(Vec::new()))),
        iter_var: "@nothing".to_owned(),
        iter_var2: None,
        accu_var: name.clone(),
        accu_init: value,
        loop_cond: node(Expr::Literal(LiteralValue::Boolean(false.into()))),
        loop_step: node(Expr::Ident(name)),
        result: body,
    }))
}

fn node(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn call(name: &str, arguments: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args: arguments })
}

fn member(name: &str, target: IdedExpr, arguments: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: Some(Box::new(target)), args: arguments })
}

fn text(text: &str) -> IdedExpr {
    node(Expr::Literal(LiteralValue::String(text.to_owned().into())))
}

/// An expression as it is evaluated.
pub(super) struct Adapted {
    pub(super) tree: IdedExpr,
    /// Which functions of the host it calls.
    pub(super) functions: BTreeSet<String>,
    /// Whether comprehensions are nested in it.
    pub(super) counts_rounds: bool,
}

/// What a parsed expression becomes.
pub(super) fn adapt(parsed: IdedExpr) -> Adapted {
    let mut adapter = Adapter::default();
    let tree = adapter.adapt(parsed);
    Adapted { tree, functions: adapter.functions, counts_rounds: adapter.counts_rounds }
}

#[derive(Default)]
struct Adapter {
    /// The variables of the comprehensions around it.
    bound: Vec<String>,
    /// How many comprehensions are around it.
    depth: usize,
    functions: BTreeSet<String>,
    counts_rounds: bool,
}

impl Adapter {
    fn adapt(&mut self, parsed: IdedExpr) -> IdedExpr {
        let IdedExpr { id, expr } = parsed;
        let expr = match expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(*comprehension),
            Expr::List(ListExpr { elements, optional_indices }) => {
                Expr::List(ListExpr::new_with_optionals(self.adapt_all(elements), optional_indices))
            }
            Expr::Map(map) => self.mapping(map),
            Expr::Select(SelectExpr { operand, field, test }) => {
                Expr::Select(SelectExpr { operand: Box::new(self.adapt(*operand)), field, test })
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => expr,
        };
        IdedExpr { id, expr }
    }

    fn adapt_all(&mut self, parsed: Vec<IdedExpr>) -> Vec<IdedExpr> {
        parsed.into_iter().map(|part| self.adapt(part)).collect()
    }

    fn call(&mut self, parsed: CallExpr) -> Expr {
        let host = self.host_function(&parsed);
        let CallExpr { func_name, target, args } = parsed;
        if let Some(name) = host {
            let mut list = vec![text(&name)];
            list.extend(self.adapt_all(args));
            self.functions.insert(name);
            let list = node(Expr::List(ListExpr::new(list)));
            return call(operators::INDEX, vec![node(Expr::Ident(FUNCTIONS.to_owned())), list]);
        }
        let mut arguments = self.adapt_all(args);
        let Some(target) = target else {
            if func_name == "duration" && arguments.len() == 1 {
                arguments = vec![node(call("@span", arguments))];
            }
            return call(renamed(&func_name, arguments.len()).unwrap_or(&func_name), arguments);
        };
        let target = self.adapt(*target);
        let is_lazy = matches!(func_name.as_str(), "orValue" | "or")
            && matches!(arguments.as_slice(), [argument] if !matches!(argument.expr, Expr::Literal(_)));
        match arguments.pop() {
            Some(otherwise) if is_lazy => lazily(&func_name, target, otherwise),
            last => {
                arguments.extend(last);
                member(&func_name, target, arguments)
            }
        }
    }

    /// The name of the function of the host that is called: `data.latest`, unless `data` is bound.
    fn host_function(&self, parsed: &CallExpr) -> Option<String> {
        let Some(Expr::Ident(namespace)) = parsed.target.as_deref().map(|target| &target.expr) else { return None };
        let name = format!("{namespace}.{}", parsed.func_name);
        let is_free = EXPRESSION_FUNCTIONS.contains(&name.as_str()) && !self.bound.contains(namespace);
        is_free.then_some(name)
    }

    fn comprehension(&mut self, parsed: ComprehensionExpr) -> Expr {
        let is_loop = !matches!(&parsed.iter_range.expr, Expr::List(list) if list.elements.is_empty());
        let mut range = self.adapt(parsed.iter_range);
        if is_loop && self.depth > 0 {
            self.counts_rounds = true;
            range = node(call(operators::INDEX, vec![node(Expr::Ident(ROUNDS.to_owned())), range]));
        }
        let first = self.adapt(parsed.accu_init);
        let outside = self.bound.len();
        self.bound.push(parsed.accu_var.clone());
        let result = self.adapt(parsed.result);
        self.bound.push(parsed.iter_var.clone());
        self.bound.extend(parsed.iter_var2.clone());
        self.depth += usize::from(is_loop);
        let condition = self.adapt(parsed.loop_cond);
        let step = self.step(parsed.loop_step, &parsed.accu_var);
        self.depth -= usize::from(is_loop);
        self.bound.truncate(outside);
        Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: range,
            iter_var: parsed.iter_var,
            iter_var2: parsed.iter_var2,
            accu_var: parsed.accu_var,
            accu_init: first,
            loop_cond: condition,
            loop_step: step,
            result,
        }))
    }

    /// The step of a comprehension. Adding to its accumulator stays as it is: the interpreter does it in place.
    fn step(&mut self, parsed: IdedExpr, accumulator: &str) -> IdedExpr {
        let is_accumulator = |part: &IdedExpr| matches!(&part.expr, Expr::Ident(name) if name == accumulator);
        match parsed {
            IdedExpr { id, expr: Expr::Call(CallExpr { func_name, target: None, args }) }
                if func_name == operators::CONDITIONAL && args.len() == 3 =>
            {
                let mut parts = args.into_iter();
                let condition = parts.next().map(|part| self.adapt(part));
                let branches: Vec<IdedExpr> = parts.map(|part| self.step(part, accumulator)).collect();
                let args = condition.into_iter().chain(branches).collect();
                IdedExpr { id, expr: Expr::Call(CallExpr { func_name, target: None, args }) }
            }
            IdedExpr { id, expr: Expr::Call(CallExpr { func_name, target: None, args }) }
                if func_name == operators::ADD && args.first().is_some_and(is_accumulator) =>
            {
                let args = self.adapt_all(args);
                IdedExpr { id, expr: Expr::Call(CallExpr { func_name, target: None, args }) }
            }
            other => self.adapt(other),
        }
    }

    /// Members in the order in which they are written.
    fn mapping(&mut self, parsed: MapExpr) -> Expr {
        let mut parts = Vec::with_capacity(parsed.entries.len() * 3);
        for entry in parsed.entries {
            if let EntryExpr::MapEntry(entry) = entry.expr {
                parts.push(self.adapt(entry.key));
                parts.push(self.adapt(entry.value));
                parts.push(node(Expr::Literal(LiteralValue::Boolean(entry.optional.into()))));
            }
        }
        call("@mapping", vec![node(Expr::List(ListExpr::new(parts)))])
    }
}

/// What a function of the language is called here.
fn renamed(name: &str, arguments: usize) -> Option<&'static str> {
    Some(match (name, arguments) {
        (operators::ADD, 2) => "@add",
        (operators::SUBSTRACT, 2) => "@subtract",
        (operators::MULTIPLY, 2) => "@multiply",
        (operators::DIVIDE, 2) => "@divide",
        (operators::MODULO, 2) => "@remainder",
        (operators::LESS, 2) => "@less",
        (operators::LESS_EQUALS, 2) => "@at_most",
        (operators::GREATER, 2) => "@greater",
        (operators::GREATER_EQUALS, 2) => "@at_least",
        ("string", 1) => "@string",
        _ => return None,
    })
}

/// `target.orValue(otherwise)` and `target.or(otherwise)`, where `otherwise` is evaluated only if it is needed.
fn lazily(function: &str, target: IdedExpr, otherwise: IdedExpr) -> Expr {
    let optional = || node(Expr::Ident(OPTIONAL.to_owned()));
    let has_value = node(member("hasValue", optional(), Vec::new()));
    let held = if function == "or" { optional() } else { node(member("value", optional(), Vec::new())) };
    let choice = node(call(operators::CONDITIONAL, vec![has_value, held, otherwise]));
    binding(OPTIONAL.to_owned(), target, choice)
}
