//! Standard decorators, and accessors.

use oxc_ast::ast::{
    AccessorProperty, AccessorPropertyType, ArrowFunctionExpression, AwaitExpression, Class, ClassElement, Decorator,
    Function, MethodDefinition, MethodDefinitionKind, MethodDefinitionType, PropertyDefinition, PropertyDefinitionType,
    PropertyKey,
};
use oxc_ast_visit::Visit;
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use super::{
    Lowering,
    parameters::is_instance_field,
    place::{Export, Place, is_expression},
    whole,
};

/// What the members of one class come to.
#[derive(Default)]
struct Plan {
    /// Names that stand before the class, with what is evaluated for them there.
    before: Vec<String>,
    /// The decorated members, in the order of [`Group`].
    members: Vec<(Group, Member)>,
    /// Assignments of fields that wait for parameter properties.
    assignments: Vec<String>,
}

/// The order in which decorators of members are applied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Static,
    StaticField,
    Instance,
    InstanceField,
}

struct Member {
    /// `[decorators, kind, name, …]`.
    entry: String,
    /// The names that what is called for it gets.
    results: Vec<String>,
}

impl Plan {
    fn has(&self, wanted: Group) -> bool {
        self.members.iter().any(|(group, _)| *group == wanted)
    }
}

/// What of a member matters here, whatever it is.
struct Shape<'b, 'a> {
    span: Span,
    decorators: &'b [Decorator<'a>],
    key: &'b PropertyKey<'a>,
    computed: bool,
    is_static: bool,
    /// Of a field 0, an accessor 1, a method 2, a getter 3, a setter 4.
    kind: u8,
}

impl Shape<'_, '_> {
    fn group(&self) -> Group {
        match (self.is_static, self.kind) {
            (true, 0) => Group::StaticField,
            (true, _) => Group::Static,
            (false, 0) => Group::InstanceField,
            (false, _) => Group::Instance,
        }
    }

    fn prefix(&self) -> &'static str {
        if self.is_static { "static " } else { "" }
    }

    /// Where the member begins, its decorators aside.
    fn content(&self) -> u32 {
        self.decorators.last().map_or(self.span.start, |decorator| decorator.span.end.max(self.span.start))
    }
}

impl Lowering<'_> {
    /// Changes a class with decorators or accessors; gives the assignments of fields that wait for parameter properties.
    pub(super) fn lower_decorated(&mut self, class: &Class<'_>, place: &Place, deferred: bool) -> Vec<String> {
        let mut plan = Plan::default();
        let class_decorators: Vec<String> = class
            .decorators
            .iter()
            .map(|decorator| self.evaluated(&mut plan, &decorator.expression, "decorator"))
            .collect();
        for element in &class.body.body {
            match element {
                ClassElement::PropertyDefinition(field) => self.decorated_field(&mut plan, field, deferred),
                ClassElement::AccessorProperty(accessor) => self.accessor(&mut plan, accessor, deferred),
                ClassElement::MethodDefinition(method) => self.decorated_method(&mut plan, method),
                ClassElement::StaticBlock(_) | ClassElement::TSIndexSignature(_) => {}
            }
            let is_abstract = match element {
                ClassElement::PropertyDefinition(it) => {
                    it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition
                }
                ClassElement::AccessorProperty(it) => it.r#type == AccessorPropertyType::TSAbstractAccessorProperty,
                ClassElement::MethodDefinition(it) => it.r#type == MethodDefinitionType::TSAbstractMethodDefinition,
                _ => false,
            };
            if is_abstract && !class_decorators.is_empty() {
                self.edits.replace(element.span().start, element.span().end, "");
            }
        }
        plan.members.sort_by_key(|(group, _)| *group);
        if !class_decorators.is_empty() || !plan.members.is_empty() {
            self.apply_at_the_start(class, place, &mut plan, &class_decorators);
        } else {
            self.put_before(class, place, &plan.before);
        }
        plan.assignments
    }

    /// The static block that applies the decorators, and what surrounds the class.
    fn apply_at_the_start(&mut self, class: &Class<'_>, place: &Place, plan: &mut Plan, class_decorators: &[String]) {
        self.needs_helper = true;
        let mut results: Vec<String> = plan.members.iter().flat_map(|(_, member)| member.results.clone()).collect();
        plan.before.extend(results.iter().cloned());
        let mut start = String::new();
        if plan.has(Group::Instance) {
            let name = self.name("instance");
            start.push_str(&format!(" #{name} = {name}(this);"));
            plan.before.push(name.clone());
            results.push(name);
        }
        let mut after = String::new();
        if plan.has(Group::Static) {
            let name = self.name("static");
            after.push_str(&format!(" {name}(this);"));
            plan.before.push(name.clone());
            results.push(name);
        }
        // Metadata is inherited by classes that are decorated themselves, as Deno has it.
        let parent = class.heritage.as_ref().filter(|_| !class_decorators.is_empty()).map(|heritage| {
            let name = self.name("parent");
            self.edits.open(heritage.expression.span().start, format!("({name} = "));
            self.edits.insert(heritage.expression.span().end, ")");
            plan.before.push(name.clone());
            format!(", {name}")
        });
        let (result, set) = (self.name("class"), self.name("set"));
        let applied = self.name("applied");
        let mut last = String::new();
        if !class_decorators.is_empty() {
            let initialize = self.name("initialize");
            after = format!(" [{result}, {initialize}] = {applied}.c; {set}({result});{after}");
            last = format!("; static {{ {initialize}(); }} ");
            plan.before.extend([result.clone(), initialize]);
        }
        if !results.is_empty() {
            after = format!(" [{}] = {applied}.e;{after}", results.join(", "));
        }
        let members: Vec<&str> = plan.members.iter().map(|(_, member)| member.entry.as_str()).collect();
        let block = format!(
            " static {{ const {applied} = {}(this, [{}], [{}]{});{after} }}{start}",
            self.prefix,
            members.join(", "),
            class_decorators.join(", "),
            parent.unwrap_or_default(),
        );
        self.edits.insert(class.body.span.start + 1, block);
        // Behind it also where the class has nothing between its braces.
        if !last.is_empty() {
            self.edits.insert(class.body.span.end - 1, last);
        }
        if class_decorators.is_empty() {
            self.put_before(class, place, &plan.before);
        } else {
            self.replaceable(class, place, plan, &result, &set);
        }
    }

    /// A class that its decorators may replace: what it is called outside is a variable.
    fn replaceable(&mut self, class: &Class<'_>, place: &Place, plan: &Plan, result: &str, set: &str) {
        let start = place.start(class);
        let own_name = class.id.as_ref().map(|id| id.name.as_str());
        let head_end = class.id.as_ref().map_or_else(|| self.end_of_keyword(class), |id| id.span.end);
        let own = own_name.map(|name| format!(" {name}")).unwrap_or_default();
        let before = plan.before.join(", ");
        if is_expression(class) {
            // One without a name has none, whatever it is assigned to: so it is in Deno.
            let (begin, end) = scope(class);
            self.edits.replace(start, head_end, format!("{begin} let {before}, {set} = () => {{}}; (class{own}"));
            self.edits.insert(class.span.end, format!("); return {result}; {end}"));
            return;
        }
        let own = if own_name.is_none() { " _default".to_owned() } else { own };
        let outer = own_name.map_or_else(|| self.name("default"), str::to_owned);
        let export = if place.export == Export::Named { "export " } else { "" };
        self.edits.replace(
            start,
            head_end,
            format!("let {before}, {set} = (value) => {{ {outer} = value; }}; {export}let {outer}; (class{own}"),
        );
        let default =
            if place.export == Export::Default { format!(" export {{ {outer} as default }};") } else { String::new() };
        self.edits.insert(class.span.end, format!(");{default}"));
    }

    /// Puts names in front of a class that stays what it is.
    fn put_before(&mut self, class: &Class<'_>, place: &Place, before: &[String]) {
        if before.is_empty() {
            return;
        }
        let before = before.join(", ");
        if !is_expression(class) {
            self.edits.open(place.start(class), format!("let {before}; "));
            return;
        }
        let (open, close) = place.naming(class);
        let (begin, end) = scope(class);
        self.edits.open(whole(class).start, format!("{begin} let {before}; return {open}"));
        self.edits.insert(class.span.end, format!("{close}; {end}"));
    }

    /// Where the word `class` of an anonymous class ends.
    fn end_of_keyword(&self, class: &Class<'_>) -> u32 {
        let end = class.heritage.as_ref().map_or(class.body.span.start, |heritage| heritage.expression.span().start);
        let head = whole(class);
        let text = self.text_of(Span::new(head.start, end));
        let offset = text.rfind("class").and_then(|offset| u32::try_from(offset + "class".len()).ok());
        offset.map_or(end, |offset| head.start + offset)
    }

    fn evaluated(&mut self, plan: &mut Plan, expression: &impl GetSpan, what: &str) -> String {
        let name = self.name(what);
        plan.before.push(format!("{name} = {}", self.text_of(expression.span())));
        name
    }

    /// Takes the decorators off a member, and a computed key out of it. Gives the decorators and the key as the class names
    /// them then.
    fn bared(&mut self, plan: &mut Plan, shape: &Shape<'_, '_>) -> (String, Key) {
        let names: Vec<String> =
            shape.decorators.iter().map(|decorator| self.evaluated(plan, &decorator.expression, "decorator")).collect();
        for (index, decorator) in shape.decorators.iter().enumerate() {
            // What stands before need not end with a semicolon.
            let with = if index == 0 && decorator.span.start <= shape.span.start { ";" } else { "" };
            self.edits.replace(decorator.span.start, decorator.span.end, with);
        }
        let text = self.text_of(shape.key.span());
        let key = match shape.key {
            PropertyKey::PrivateIdentifier(name) => {
                Key { member: text.to_owned(), name: quoted(name.name.as_str()), temporary: None }
            }
            PropertyKey::StaticIdentifier(name) => {
                Key { member: text.to_owned(), name: quoted(name.name.as_str()), temporary: None }
            }
            _ if !shape.computed => Key { member: text.to_owned(), name: text.to_owned(), temporary: None },
            key => {
                let name = self.name("key");
                plan.before.push(format!("{name} = {text}"));
                if shape.kind != 1 {
                    self.edits.replace(key.span().start, key.span().end, name.clone());
                }
                Key { member: format!("[{name}]"), name: name.clone(), temporary: Some(name) }
            }
        };
        (format!("[{}]", names.join(", ")), key)
    }

    fn decorated_field(&mut self, plan: &mut Plan, field: &PropertyDefinition<'_>, deferred: bool) {
        let deferred = deferred && is_instance_field(field);
        if field.decorators.is_empty() || field.declare {
            if deferred {
                plan.assignments.extend(self.lower_field(field, None, None, true));
            }
            return;
        }
        let shape = Shape {
            span: field.span,
            decorators: &field.decorators,
            key: &field.key,
            computed: field.computed,
            is_static: field.r#static,
            kind: 0,
        };
        let (decorators, key) = self.bared(plan, &shape);
        let init = self.name("init");
        let parts = if field.key.is_private_identifier() {
            let member = &key.member;
            format!(", function () {{ return this.{member}; }}, function (value) {{ this.{member} = value; }}")
        } else {
            String::new()
        };
        plan.assignments.extend(self.lower_field(field, Some(&init), key.temporary.clone(), deferred));
        plan.add(&shape, &decorators, &key, &parts, vec![init]);
    }

    fn accessor(&mut self, plan: &mut Plan, accessor: &AccessorProperty<'_>, deferred: bool) {
        if accessor.r#type == AccessorPropertyType::TSAbstractAccessorProperty {
            return;
        }
        let shape = Shape {
            span: accessor.span,
            decorators: &accessor.decorators,
            key: &accessor.key,
            computed: accessor.computed,
            is_static: accessor.r#static,
            kind: 1,
        };
        let (decorators, key) = self.bared(plan, &shape);
        let storage = self.name("storage");
        let prefix = shape.prefix();
        let is_decorated = !accessor.decorators.is_empty();
        let is_private = accessor.key.is_private_identifier();
        let (mut results, mut open, mut close) = (Vec::new(), String::new(), String::new());
        let (mut read, mut write) = (format!("this.#{storage}"), format!("this.#{storage} = value"));
        if is_decorated {
            let init = self.name("init");
            open = format!("{init}(this{}", if accessor.value.is_some() { ", " } else { "" });
            ")".clone_into(&mut close);
            results.push(init);
        }
        let parts = if is_private && is_decorated {
            let (get, set) = (self.name("get"), self.name("set"));
            let parts = format!(", function () {{ return {read}; }}, function (value) {{ {write}; }}");
            (read, write) = (format!("{get}(this)"), format!("{set}(this, value)"));
            results.extend([get, set]);
            parts
        } else {
            String::new()
        };
        let is_set = is_decorated || accessor.value.is_some();
        let (open, close) = if deferred && is_set && !accessor.r#static {
            // As a field: its value is made when the parameter properties are there.
            let method = self.name("field");
            plan.assignments.push(format!("this.#{storage} = this.#{method}()"));
            (format!(" #{storage}; #{method}() {{ return ({open}"), format!("{close}); }}"))
        } else {
            let equals = if is_set { " = " } else { "" };
            (format!(" {prefix}#{storage}{equals}{open}"), format!("{close};"))
        };
        let member = &key.member;
        let close =
            format!("{close} {prefix}get {member}() {{ return {read}; }} {prefix}set {member}(value) {{ {write}; }}");
        match &accessor.value {
            Some(value) => {
                self.edits.replace(shape.content(), value.span().start, open);
                self.edits.replace(value.span().end, accessor.span.end, close);
            }
            None => self.edits.replace(shape.content(), accessor.span.end, format!("{open}{close}")),
        }
        if is_decorated {
            plan.add(&shape, &decorators, &key, &parts, results);
        }
    }

    fn decorated_method(&mut self, plan: &mut Plan, method: &MethodDefinition<'_>) {
        if method.decorators.is_empty() || method.value.body.is_none() {
            return;
        }
        let shape = Shape {
            span: method.span,
            decorators: &method.decorators,
            key: &method.key,
            computed: method.computed,
            is_static: method.r#static,
            kind: match method.kind {
                MethodDefinitionKind::Get => 3,
                MethodDefinitionKind::Set => 4,
                MethodDefinitionKind::Method | MethodDefinitionKind::Constructor => 2,
            },
        };
        let (decorators, key) = self.bared(plan, &shape);
        if !method.key.is_private_identifier() {
            plan.add(&shape, &decorators, &key, "", Vec::new());
            return;
        }
        // Its text becomes a static method, which the static block can name; what has its name calls what came of it.
        let (raw, call) = (self.name("raw"), self.name("call"));
        let words = match (method.value.r#async, method.value.generator) {
            (true, true) => "async *",
            (true, false) => "async ",
            (false, true) => "*",
            (false, false) => "",
        };
        self.edits.replace(shape.content(), method.key.span().end, format!(" static {words}#{raw}"));
        let (prefix, member) = (shape.prefix(), &key.member);
        let stand_in = match method.kind {
            MethodDefinitionKind::Get => format!(" {prefix}get {member}() {{ return {call}(this); }}"),
            MethodDefinitionKind::Set => format!(" {prefix}set {member}(value) {{ {call}(this, value); }}"),
            _ => format!(" {prefix}get {member}() {{ return {call}; }}"),
        };
        self.edits.insert(method.span.end, stand_in);
        plan.add(&shape, &decorators, &key, &format!(", this.#{raw}"), vec![call]);
    }
}

/// The beginning and the end of a scope of its own around a class expression. What is evaluated in it may be waited for where the
/// class stands.
fn scope(class: &Class<'_>) -> (&'static str, &'static str) {
    let mut awaits = Awaits(false);
    awaits.visit_class(class);
    if awaits.0 { ("(await (async () => {", "})())") } else { ("(() => {", "})()") }
}

/// Whether the evaluation of a class itself waits for something.
struct Awaits(bool);

impl<'a> Visit<'a> for Awaits {
    fn visit_await_expression(&mut self, _: &AwaitExpression<'a>) {
        self.0 = true;
    }

    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}

    fn visit_arrow_function_expression(&mut self, _: &ArrowFunctionExpression<'a>) {}
}

/// A key of a member.
struct Key {
    /// As a member of the class is declared with it, or, if it is private, named by it.
    member: String,
    /// As an expression: what the decorator is told, without `#`.
    name: String,
    /// The variable that holds it, if it is computed.
    temporary: Option<String>,
}

impl Plan {
    fn add(&mut self, shape: &Shape<'_, '_>, decorators: &str, key: &Key, parts: &str, results: Vec<String>) {
        let kind = shape.kind + if shape.is_static { 5 } else { 0 };
        let entry = format!("[{decorators}, {kind}, {}{parts}]", key.name);
        self.members.push((shape.group(), Member { entry, results }));
    }
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
