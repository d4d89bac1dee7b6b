// What code is told that it cannot have: what this engine lacks, and what is not granted. The host finds the reason behind
// whatever is thrown, also where it is the cause of another error. Evaluated once, before any code of an extension.

const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const mapGet = uncurry(WeakMap.prototype.get);
const mapSet = uncurry(WeakMap.prototype.set);
const includes = uncurry(String.prototype.includes);
const ErrorIntrinsic = Error;

/** What is noted of a thrown value, or of a cause of it. */
const behind = (thrown, noteOf) => {
  for (let depth = 0; depth < 8 && typeof thrown === "object" && thrown !== null; depth += 1) {
    const note = noteOf(thrown);
    if (note !== undefined) return note;
    thrown = thrown.cause;
  }
  return undefined;
};

const requirements = new WeakMap();
const MOST_LACKED = 16;
let lacked = []; // what was missing since the call began, whether or not anybody heard of it
/** Says of an error that it was thrown because the engine lacks this. */
export const lacks = (error, label) => {
  mapSet(requirements, error, label);
  if (lacked.length < MOST_LACKED) lacked[lacked.length] = label;
  return error;
};
/** The error that names what the engine lacks. */
export const missing = (label) => {
  const error = new ErrorIntrinsic(`${label} is not available in the embedded engine`);
  error.name = "RequirementMissing";
  return lacks(error, label);
};
/** The names of what was missing since the call began, one a line; empty if nothing was. */
export const takeLacked = () => {
  let names = "";
  for (let index = 0; index < lacked.length; index += 1) names += `${index === 0 ? "" : "\n"}${lacked[index]}`;
  lacked = [];
  return names;
};
/** The name of what is missing, if that is why this was thrown. */
export const requirementOf = (thrown) => behind(thrown, (error) => mapGet(requirements, error));

const MOST_REFUSALS = 64;
const denials = new WeakMap();
const told = []; // { message, denial } of what code may tell in words of its own
/** The error of what is not granted: `name` of the permission, or all of it if there is none. */
export const denied = (permission, name, message) => {
  const error = new ErrorIntrinsic(message);
  error.name = "NotCapable";
  const denial = `${permission}:${name ?? ""}`;
  mapSet(denials, error, denial);
  // Variables are asked for by many packages that do without them.
  if (permission !== "env" && told.length < MOST_REFUSALS) told[told.length] = { message, denial };
  return error;
};
/** What one call was told is no reason of what another one throws. */
export const forgetRefusals = () => {
  told.length = 0;
  lacked = [];
};
/** The permission and the name that were refused, with a colon between them, if that is why this was thrown. */
export const denialOf = (thrown) =>
  behind(thrown, (error) => {
    const denial = mapGet(denials, error);
    if (denial !== undefined || told.length === 0) return denial;
    const { message } = error;
    if (typeof message !== "string") return undefined;
    for (let index = 0; index < told.length; index += 1) {
      if (includes(message, told[index].message)) return told[index].denial;
    }
    return undefined;
  });
