//! Modules that many runtimes of this process load, compiled once: the prelude, the schema libraries, and the files of
//! packages that are wanted a second time.
//!
//! Compiling the usual schema library costs ten times what loading its compiled form does, and it is the same text
//! in every inspection. Loading goes through the binding's loader of embedded modules, whose bytes live as long as
//! the process. Why that is sound here:
//!
//! - Compiled bytes are made by this process, from text, and never leave it: they are neither read from nor written
//!   to a file or a pipe, so nobody can bring others in.
//! - They are made in a runtime of their own, in which nothing is evaluated: no code of an extension or a package
//!   can change what is compiled.
//! - They are found by their whole text, not by a digest or a name alone.
//! - The engine copies what it loads, so runtimes share nothing that one of them could change.
//!
//! A module that does not compile is left to the runtime that wants it, which reports the error within its limits.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rquickjs::{
    Context, Ctx, Module, Result, Runtime,
    loader::{ImportAttributes, Loader, Resolver, bundle::Bundle},
    module::{Declared, WriteOptions},
};

/// How much text of a kind of [`Demand`] is compiled ahead in one process, in bytes. Compiled bytes stay until the process
/// ends; a worker ends after a number of jobs.
const TEXT_BYTES: usize = 8 << 20;
/// How many modules are remembered that were wanted once.
const WANTED_ONCE: usize = 4_096;
/// The memory that compiling one module may take, in bytes.
const COMPILER_BYTES: usize = 128 << 20;

/// The compiled form of a module: one name with its bytes, as the binding's loader wants them.
type Form = &'static [(&'static str, &'static [u8])];

/// How many runtimes of this process will want a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// This one only: it is not compiled ahead.
    One,
    /// Nobody knows: whoever wants it the second time will not be the last.
    Unknown,
    /// Nearly all.
    Many,
}

#[derive(Default)]
struct Compiled {
    modules: Vec<(Arc<str>, &'static str, Option<Form>)>,
    /// Of the modules that nearly all want.
    text_bytes: usize,
    /// Of the modules that were wanted again.
    text_bytes_wanted_again: usize,
    /// The names of modules that were wanted once, and are not compiled.
    wanted_once: HashSet<Box<str>>,
}

/// Declares a module by its compiled form. `None` if it has none: too few want it, it is too large, too much, or does not
/// compile.
pub(super) fn declare<'js>(
    context: &Ctx<'js>,
    name: &str,
    source: &Arc<str>,
    demand: Demand,
) -> Option<Result<Module<'js, Declared>>> {
    let form = form(name, source, demand)?;
    Some(Bundle(form).load(context, name, None))
}

fn form(name: &str, source: &Arc<str>, demand: Demand) -> Option<Form> {
    static COMPILED: OnceLock<Mutex<Compiled>> = OnceLock::new();
    if demand == Demand::One {
        return None;
    }
    let mut compiled = COMPILED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |known: &Arc<str>| Arc::ptr_eq(known, source) || known == source;
    if let Some((_, _, form)) = compiled.modules.iter().find(|(text, of, _)| *of == name && is_it(text)) {
        return *form;
    }
    let text_bytes = match demand {
        Demand::Many => compiled.text_bytes,
        Demand::Unknown | Demand::One => compiled.text_bytes_wanted_again,
    };
    if text_bytes + source.len() > TEXT_BYTES {
        return None;
    }
    if demand == Demand::Unknown && !compiled.wanted_once.remove(name) {
        if compiled.wanted_once.len() < WANTED_ONCE {
            compiled.wanted_once.insert(name.into());
        }
        return None;
    }
    match demand {
        Demand::Many => compiled.text_bytes += source.len(),
        Demand::Unknown | Demand::One => compiled.text_bytes_wanted_again += source.len(),
    }
    let form = compile(name, source).ok().map(|bytes| {
        let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
        let name: &'static str = Box::leak(name.into());
        let form: &'static _ = Box::leak(Box::new([(name, bytes)]));
        form as Form
    });
    let name: &'static str = form.map_or_else(|| &*Box::leak(name.into()), |form| form[0].0);
    compiled.modules.push((Arc::clone(source), name, form));
    form
}

/// Compiles in a runtime that has never run anything and never will.
fn compile(name: &str, source: &str) -> Result<Vec<u8>> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(COMPILER_BYTES);
    runtime.set_loader(Nothing, Nothing);
    let context = Context::full(&runtime)?;
    context.with(|context| Module::declare(context, name, source)?.write(WriteOptions::default()))
}

/// What a module imports while it is compiled: the engine wants to find it, and takes nothing of it. The compiled form
/// names the specifiers as they were written, and the runtime that loads it resolves them.
struct Nothing;

impl Resolver for Nothing {
    fn resolve<'js>(
        &mut self,
        _context: &Ctx<'js>,
        _base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        Ok(name.to_owned())
    }
}

impl Loader for Nothing {
    fn load<'js>(
        &mut self,
        context: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        Module::declare(context.clone(), name, "")
    }
}

#[cfg(test)]
mod tests {
    use rquickjs::{
        Object,
        loader::{BuiltinLoader, BuiltinResolver},
    };

    use super::*;

    fn evaluate(name: &str, source: &Arc<str>) -> Option<i32> {
        let runtime = Runtime::new().expect("a runtime");
        let context = Context::full(&runtime).expect("a context");
        context.with(|context| {
            let (module, promise) =
                declare(&context, name, source, Demand::Many)?.expect("declares").eval().expect("evaluates");
            promise.finish::<()>().expect("ends");
            let namespace: Object = module.namespace().expect("a namespace");
            namespace.get("answer").ok()
        })
    }

    #[test]
    fn the_same_module_loads_again_and_again() {
        let source: Arc<str> =
            "export let answer = 0; globalThis.count = (globalThis.count ?? 0) + 1; answer = count;".into();
        for _ in 0..3 {
            assert_eq!(evaluate("vendor/aa/again.js", &source), Some(1), "each runtime is fresh");
        }
    }

    #[test]
    fn another_text_of_the_same_name_is_another_module() {
        assert_eq!(evaluate("vendor/aa/other.js", &"export const answer = 1".into()), Some(1));
        assert_eq!(evaluate("vendor/aa/other.js", &"export const answer = 2".into()), Some(2));
    }

    #[test]
    fn a_module_with_imports_has_a_form_and_they_are_resolved_where_it_is_loaded() {
        let source: Arc<str> =
            "import { n } from './n.js'; export { m } from 'node:m'; export const answer = n;".into();
        assert!(form("vendor/aa/importing.js", &source, Demand::Many).is_some());
        let runtime = Runtime::new().expect("a runtime");
        let modules = BuiltinLoader::default()
            .with_module("vendor/aa/n.js", "export const n = 7;")
            .with_module("node:m", "export const m = 8;");
        let names = BuiltinResolver::default().with_module("vendor/aa/n.js").with_module("node:m");
        runtime.set_loader(names, modules);
        let context = Context::full(&runtime).expect("a context");
        context.with(|context| {
            let module =
                declare(&context, "vendor/aa/importing.js", &source, Demand::Many).expect("a form").expect("declares");
            let (module, promise) = module.eval().expect("evaluates");
            promise.finish::<()>().expect("ends");
            let namespace: Object = module.namespace().expect("a namespace");
            assert_eq!(namespace.get::<_, i32>("answer").ok(), Some(7));
            assert_eq!(namespace.get::<_, i32>("m").ok(), Some(8));
        });
    }

    #[test]
    fn what_does_not_compile_has_no_form() {
        assert!(form("vendor/aa/broken.js", &"export const = 1".into(), Demand::Many).is_none());
        assert!(form("vendor/aa/large.js", &" ".repeat(TEXT_BYTES + 1).into(), Demand::Many).is_none());
    }

    #[test]
    fn functions_keep_their_text() {
        let source: Arc<str> = "const f = () => 'two  spaces'; export const answer = f.toString().length;".into();
        assert_eq!(evaluate("vendor/aa/text.js", &source), Some(19));
    }

    #[test]
    fn a_package_is_compiled_ahead_when_it_is_wanted_again_and_an_entry_never() {
        let source: Arc<str> = "export const answer = 1".into();
        for _ in 0..3 {
            assert!(form("bundle.js", &source, Demand::One).is_none());
        }
        assert!(form("vendor/aa/package.js", &source, Demand::Unknown).is_none());
        assert!(form("vendor/aa/package.js", &source, Demand::Unknown).is_some());
        assert!(form("vendor/aa/package.js", &source, Demand::Unknown).is_some(), "it stays");
    }
}
