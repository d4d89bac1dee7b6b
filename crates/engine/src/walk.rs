//! Reading an export from outside, with nothing but engine primitives: no intrinsic of the module is called.

use mangrove_domain::{
    json::{Json, Number},
    shape::Shape,
};
use rquickjs::{Atom, Ctx, Error, Function, Object, Type, Value};

use super::machine::{Machine, Nature, Stop, Thrown, text};

/// How deep an export is followed; a result of a worker may be a little deeper.
const DEPTH: usize = 200;
/// How many values an export may have. Models of large services have some hundred thousand.
const NODES: u32 = 3_000_000;
/// How many bytes of text an export may have.
const BYTES: usize = 96 * 1024 * 1024;
/// How many remarks are kept.
const NOTES: usize = 200;
/// Integers up to here are exact in JavaScript.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One walk over one export.
pub(super) struct Walk<'m, 'js> {
    machine: &'m Machine,
    context: Ctx<'js>,
    kit: Object<'js>,
    is_stand_in: Function<'js>,
    converters: Vec<Function<'js>>,
    nodes: u32,
    bytes: usize,
    path: Vec<String>,
    ancestors: Vec<Value<'js>>,
    /// Remarks such as an inconvertible schema.
    pub(super) notes: Vec<String>,
    /// Whether a stand-in is part of the export.
    pub(super) met_stand_in: bool,
}

/// What one value is, before it is entered.
enum Kind<'js> {
    Plain(Shape),
    Schema(Object<'js>),
    Array(Object<'js>),
    Object(Object<'js>),
}

impl<'m, 'js> Walk<'m, 'js> {
    /// `converters` turn a schema into JSON Schema, the best first.
    pub(super) fn new(
        machine: &'m Machine,
        context: &Ctx<'js>,
        kit: Object<'js>,
        converters: Vec<Function<'js>>,
    ) -> rquickjs::Result<Self> {
        Ok(Self {
            machine,
            context: context.clone(),
            is_stand_in: kit.get("isStandIn")?,
            kit,
            converters,
            nodes: 0,
            bytes: 0,
            path: Vec::new(),
            ancestors: Vec::new(),
            notes: Vec::new(),
            met_stand_in: false,
        })
    }

    /// The shape of an export.
    pub(super) fn shape(&mut self, value: &Value<'js>) -> Result<Shape, Stop> {
        self.value(value, true)
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES {
            self.notes.push(note);
        }
    }

    fn here(&self) -> String {
        if self.path.is_empty() { "the export".to_owned() } else { self.path.join(".") }
    }

    fn value(&mut self, value: &Value<'js>, with_schemas: bool) -> Result<Shape, Stop> {
        self.nodes += 1;
        self.check_size()?;
        if self.nodes.is_multiple_of(256) && self.machine.watch.check() {
            return Err(Stop::Cpu);
        }
        match self.kind(value, with_schemas)? {
            Kind::Plain(shape) => Ok(shape),
            Kind::Schema(schema) => Ok(Shape::Schema { json_schema: self.convert(&schema)? }),
            Kind::Array(array) => self.nested(value, |walk| walk.array(&array, with_schemas)),
            Kind::Object(object) => self.nested(value, |walk| walk.object(&object, with_schemas)),
        }
    }

    fn kind(&mut self, value: &Value<'js>, with_schemas: bool) -> Result<Kind<'js>, Stop> {
        Ok(Kind::Plain(match value.type_of() {
            Type::Undefined | Type::Uninitialized | Type::Symbol | Type::Exception | Type::Module | Type::Unknown => {
                Shape::Undefined
            }
            Type::Null => Shape::Null,
            Type::Bool => Shape::Bool(value.as_bool().unwrap_or_default()),
            Type::Int => Shape::Number(Number::Integer(i64::from(value.as_int().unwrap_or_default()))),
            Type::Float => value.as_float().map_or(Shape::Null, number),
            Type::BigInt => {
                let here = self.here();
                self.note(format!("{here}: a big integer is left out"));
                Shape::Undefined
            }
            Type::String => match text(&self.kit, value) {
                Some(text) => {
                    self.bytes += text.len();
                    Shape::String(text)
                }
                None => Shape::Truncated,
            },
            Type::Function | Type::Constructor => return self.function(value, with_schemas),
            Type::Array | Type::Promise | Type::Proxy | Type::Object => {
                let Some(object) = value.as_object() else { return Ok(Kind::Plain(Shape::Undefined)) };
                if value.is_proxy() && self.is_stand_in(value)? {
                    return Ok(Kind::Plain(Shape::Function));
                }
                if with_schemas && self.is_schema(object)? {
                    return Ok(Kind::Schema(object.clone()));
                }
                let is_array = value.is_array() || (value.is_proxy() && self.is_array_behind_proxy(value)?);
                return Ok(if is_array { Kind::Array(object.clone()) } else { Kind::Object(object.clone()) });
            }
        }))
    }

    fn function(&mut self, value: &Value<'js>, with_schemas: bool) -> Result<Kind<'js>, Stop> {
        if self.is_stand_in(value)? {
            return Ok(Kind::Plain(Shape::Function));
        }
        match value.as_object() {
            Some(object) if with_schemas && self.is_schema(object)? => Ok(Kind::Schema(object.clone())),
            _ => Ok(Kind::Plain(Shape::Function)),
        }
    }

    /// True for a stand-in, which is noted.
    fn is_stand_in(&mut self, value: &Value<'js>) -> Result<bool, Stop> {
        let is_stand_in: bool = self.is_stand_in.call((value.clone(),)).map_err(|error| self.stop(error))?;
        self.met_stand_in |= is_stand_in;
        Ok(is_stand_in)
    }

    /// "An object with `_def` (or `~standard`) and functions `parse` and `safeParse`", whoever made it.
    fn is_schema(&mut self, object: &Object<'js>) -> Result<bool, Stop> {
        for name in ["parse", "safeParse"] {
            if !self.quiet_get(object, name)?.is_some_and(|member| member.is_function()) {
                return Ok(false);
            }
        }
        for name in ["_def", "~standard"] {
            if self.quiet_get(object, name)?.is_some_and(|member| !member.is_undefined()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A member; `None` if reading it throws.
    fn quiet_get(&self, object: &Object<'js>, name: &str) -> Result<Option<Value<'js>>, Stop> {
        match object.get::<_, Value>(name) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.thrown(error)?;
                Ok(None)
            }
        }
    }

    fn nested(
        &mut self,
        value: &Value<'js>,
        enter: impl FnOnce(&mut Self) -> Result<Shape, Stop>,
    ) -> Result<Shape, Stop> {
        if self.ancestors.contains(value) {
            return Ok(Shape::Truncated);
        }
        self.ancestors.push(value.clone());
        let shape = enter(self);
        self.ancestors.pop();
        shape
    }

    /// `Array.isArray` of a proxy. A revoked one has no answer: reading its members will tell.
    fn is_array_behind_proxy(&self, value: &Value<'js>) -> Result<bool, Stop> {
        let question: Function = self.kit.get("isArray").map_err(|error| self.stop(error))?;
        match question.call((value.clone(),)) {
            Ok(answer) => Ok(answer),
            Err(error) => self.thrown(error).map(|_| false),
        }
    }

    fn array(&mut self, array: &Object<'js>, with_schemas: bool) -> Result<Shape, Stop> {
        let mut items = Vec::new();
        // The length of a proxy is whatever its trap says; of a sparse array it may be four billion.
        let length = match array.get::<_, Value>("length") {
            Ok(length) => length.as_number().unwrap_or_default(),
            Err(error) => return Ok(Shape::Threw { message: self.thrown(error)? }),
        };
        let mut index = 0_u32;
        while f64::from(index) < length {
            self.path.push(index.to_string());
            let item = self.member(array, index, with_schemas);
            self.path.pop();
            items.push(item?);
            index += 1;
        }
        Ok(Shape::Array(items))
    }

    fn object(&mut self, object: &Object<'js>, with_schemas: bool) -> Result<Shape, Stop> {
        let keys: Vec<Atom<'js>> = match object.keys::<Atom>().collect() {
            Ok(keys) => keys,
            Err(error) => return Ok(Shape::Threw { message: self.thrown(error)? }),
        };
        let mut members = Vec::new();
        for key in keys {
            let name = key.to_js_string().map_err(|error| self.stop(error))?;
            let Some(name) = text(&self.kit, name.as_value()) else { continue };
            self.bytes += name.len();
            self.path.push(name.clone());
            let member = self.member(object, key, with_schemas);
            self.path.pop();
            members.push((name, member?));
        }
        Ok(Shape::Object(members))
    }

    fn member(
        &mut self,
        object: &Object<'js>,
        key: impl rquickjs::IntoAtom<'js>,
        with_schemas: bool,
    ) -> Result<Shape, Stop> {
        match object.get::<_, Value>(key) {
            Ok(value) => self.value(&value, with_schemas),
            Err(error) => Ok(Shape::Threw { message: self.thrown(error)? }),
        }
    }

    /// What is too large is not judged by a part of it.
    fn check_size(&self) -> Result<(), Stop> {
        let limit = if self.nodes > NODES {
            format!("has more than {NODES} values")
        } else if self.bytes > BYTES {
            format!("has more than {} MiB of text", BYTES >> 20)
        } else if self.ancestors.len() >= DEPTH {
            format!("is nested deeper than {DEPTH} levels at {}", self.here_shortened())
        } else {
            return Ok(());
        };
        Err(Stop::TooLarge(limit))
    }

    fn here_shortened(&self) -> String {
        let path = self.path.get(..8).unwrap_or(&self.path);
        format!("{}…", path.join("."))
    }

    fn stop(&self, error: Error) -> Stop {
        self.machine.stop(&self.context, error)
    }

    /// What a read threw, as text, unless a limit was the reason.
    fn thrown(&self, error: Error) -> Result<String, Stop> {
        match self.stop(error) {
            Stop::Threw(Thrown { nature: Nature::Memory, message, place }) => {
                Err(Stop::Threw(Thrown { nature: Nature::Memory, message, place }))
            }
            Stop::Threw(Thrown { message, .. }) => Ok(message),
            stop => Err(stop),
        }
    }

    /// The input side of a schema as JSON Schema, made by the library that made the schema: by the schema's own
    /// method, by a converter of the loaded library, or through the Standard Schema interface. `{}` and a note if
    /// none can.
    fn convert(&mut self, schema: &Object<'js>) -> Result<Json, Stop> {
        let mut refusal = None;
        let empty = Json::Object(Vec::new());
        let options = self.options().map_err(|error| self.stop(error))?;
        if let Some(own) = self.quiet_get(schema, "toJSONSchema")?.as_ref().and_then(Value::as_function) {
            let converted = own.call::<_, Value>((rquickjs::function::This(schema.clone()), options.clone()));
            if let Some(json) = self.converted(converted, &mut refusal)? {
                return Ok(json);
            }
        }
        for converter in self.converters.clone() {
            let converted = converter.call::<_, Value>((schema.clone(), options.clone()));
            if let Some(json) = self.converted(converted, &mut refusal)? {
                return Ok(json);
            }
        }
        if let Some(standard) = self.quiet_get(schema, "~standard")?.as_ref().and_then(Value::as_object)
            && let Some(interface) = self.quiet_get(standard, "jsonSchema")?.as_ref().and_then(Value::as_object)
            && let Some(input) = self.quiet_get(interface, "input")?.as_ref().and_then(Value::as_function)
        {
            let target = Object::new(self.context.clone()).map_err(|error| self.stop(error))?;
            target.set("target", "draft-2020-12").map_err(|error| self.stop(error))?;
            let converted = input.call::<_, Value>((rquickjs::function::This(interface.clone()), target));
            if let Some(json) = self.converted(converted, &mut refusal)? {
                return Ok(json);
            }
        }
        let here = self.here();
        self.note(match refusal {
            Some(message) => format!("{here}: the schema cannot be converted to JSON Schema: {message}"),
            None => format!("{here}: the schema comes without a converter to JSON Schema"),
        });
        Ok(empty)
    }

    fn options(&self) -> rquickjs::Result<Object<'js>> {
        let options = Object::new(self.context.clone())?;
        options.set("io", "input")?;
        options.set("unrepresentable", "any")?;
        Ok(options)
    }

    fn converted(
        &mut self,
        result: rquickjs::Result<Value<'js>>,
        refusal: &mut Option<String>,
    ) -> Result<Option<Json>, Stop> {
        match result {
            Ok(value) if value.is_object() => Ok(self.value(&value, false)?.to_json()),
            Ok(value) => {
                refusal.get_or_insert_with(|| format!("the converter gives {}", value.type_name()));
                Ok(None)
            }
            Err(error) => {
                let message = self.thrown(error)?;
                refusal.get_or_insert(message);
                Ok(None)
            }
        }
    }
}

/// A number of the engine's; what JSON cannot say is `null`.
#[expect(clippy::cast_possible_truncation, reason = "the value is integral and in the exact range")]
fn number(value: f64) -> Shape {
    if !value.is_finite() {
        Shape::Null
    } else if value.fract() == 0.0 && value.abs() <= EXACT {
        Shape::Number(Number::Integer(value as i64))
    } else {
        Shape::Number(Number::Float(value))
    }
}
