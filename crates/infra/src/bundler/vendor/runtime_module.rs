//! The bundler's own helpers, in the form in which vendor bundles have them.
//!
//! As they come they make a `require` of the engine's while they load, which not every engine has, and give what is
//! left of a module that threw to whoever asks for it a second time, where Node lets it throw again.

use mangrove_engine::builtin_modules;
use serde_json::Value;

/// What is replaced, and by what.
const REPLACED: [(&str, &str); 3] = [
    ("import { createRequire } from 'node:module';", ""),
    ("/* #__PURE__ */ (() => createRequire(import.meta.url))()", "/* #__PURE__ */ (() => REQUIRE)()"),
    (
        "(cb, mod) => () => (\n  mod || (cb((mod = { exports: {} }).exports, mod), cb = null), mod.exports\n)",
        "(cb, mod) => () => {\n  if (!mod) {\n    mod = { exports: {} };\n    try {\n      cb(mod.exports, mod);\n    \
         } catch (error) {\n      mod = undefined;\n      throw error;\n    }\n    cb = null;\n  }\n  return mod.exports;\n}",
    ),
];

/// A `require` of names that are known only when the code runs. A built-in is given by the engine that has it; an
/// engine that has none says, by the use of what it lacks, that another one is needed.
const REQUIRE: &str = "{
  const builtins = new Set(BUILTINS);
  const absent = (name) => Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  const isBuiltin = (name) => `${name}`.startsWith('node:') || builtins.has(name);
  const require = (name) => {
    if (!isBuiltin(name)) throw absent(name);
    const get = globalThis.process?.getBuiltinModule;
    const found = get ? get(name) : globalThis.Deno.getBuiltinModule(name);
    if (found === undefined) throw absent(name);
    return found;
  };
  const resolve = (name) => {
    if (!isBuiltin(name)) throw absent(name);
    return name;
  };
  resolve.paths = () => null;
  return Object.assign(require, { resolve, cache: {}, extensions: {}, main: undefined });
}";

/// The helpers with ours in the places of the bundler's.
///
/// # Errors
/// If they are not those that are known: what to replace is found by its text.
pub(super) fn adapted(code: &str) -> Result<String, String> {
    let mut adapted = code.to_owned();
    for (theirs, ours) in REPLACED {
        if !adapted.contains(theirs) {
            return Err(format!("the bundler's helpers are not the known ones: no {theirs:?}"));
        }
        adapted = adapted.replacen(theirs, ours, 1);
    }
    let builtins = Value::from(builtin_modules::bare_names().to_vec()).to_string();
    Ok(adapted.replacen("REQUIRE", &REQUIRE.replacen("BUILTINS", &builtins, 1), 1))
}
