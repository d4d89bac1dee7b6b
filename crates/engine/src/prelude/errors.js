// Errors as other engines have them: a stack begins with what was thrown, and messages of the engine's own are in the words that
// people know and code looks for. Evaluated once, before any code of an extension.

import { lacks } from "mangrove:refusals";

const { deleteProperty, getPrototypeOf, defineProperty, getOwnPropertyDescriptor } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const exec = uncurry(RegExp.prototype.exec);
const ErrorIntrinsic = Error;
const TypeErrorIntrinsic = TypeError;
const errorText = uncurry(ErrorIntrinsic.prototype.toString);

// Other engines stop at twice as many and more.
const TOO_MANY_ARGUMENTS = "too many arguments in function call (only 65535 allowed)";
const MANY_ARGUMENTS = "a call with more than 65,535 arguments";
const ABSENT = /^cannot (read|set) property '(.*)' of (null|undefined)$/s;
const OTHER = {
  __proto__: null,
  "cannot convert symbol to string": "Cannot convert a Symbol value to a string",
  "cannot convert BigInt to number": "Cannot mix BigInt and other types, use explicit conversions",
  "empty array": "Reduce of empty array with no initial value",
  "expecting hex digit": "URI malformed",
  "invalid array length": "Invalid array length",
  "invalid number of digits": "toFixed() digits argument must be between 0 and 100",
  "value is not iterable": "The value is not iterable",
};
const reworded = (message) => {
  if (typeof message !== "string") return undefined;
  const absent = exec(ABSENT, message);
  if (absent === null) return OTHER[message];
  const verb = absent[1];
  const name = absent[2];
  const what = absent[3];
  if (name === "Symbol.iterator") return `${what} is not iterable`;
  return verb === "read" ? `Cannot read properties of ${what} (reading '${name}')` : `Cannot set properties of ${what} (setting '${name}')`;
};

// What a stack leads to is the function of each frame, those of the kit among them. As in other engines, a function in
// strict mode is not given away; names and places are.
ErrorIntrinsic.prepareStackTrace = (_error, sites) => sites;
defineProperty(getPrototypeOf(new ErrorIntrinsic().stack[0]), "getFunction", { value: () => undefined });

// Where the text of an author has what stands in this place of a bundle.
const { calleeAt, sourcePlace } = globalThis.__mangroveHost;
const placeOf = (file, line, column) => {
  try {
    if (line > 0) return sourcePlace(`${file}`, line, column > 0 ? column : 0) ?? `${file}:${line}:${column}`;
  } catch {
    // No stack is left for a question.
  }
  return `${file}:${line}:${column}`;
};

// The engine does not say what it was that could not be called.
const CALLED = { __proto__: null, "not a function": " is not a function", "not a constructor": " is not a constructor" };
const namedCallee = (error, message, site) => {
  const end = CALLED[message];
  if (end === undefined || site === undefined || site.isNative() || !(error instanceof TypeErrorIntrinsic)) return;
  const callee = calleeAt(`${site.getFileName()}`, site.getLineNumber(), site.getColumnNumber());
  // What is thrown by its author stands where it is made.
  if (callee !== undefined && exec(/Error$/, callee) === null) put(error, "message", `${callee}${end}`);
};

const put = (error, name, value) => defineProperty(error, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });
const stackOf = (error, sites) => {
  let stack = "";
  let own;
  try {
    own = getOwnPropertyDescriptor(error, "message");
    if (own?.value === TOO_MANY_ARGUMENTS) {
      put(error, "name", "RequirementMissing");
      put(error, "message", `${MANY_ARGUMENTS} is not available in the embedded engine`);
      lacks(error, MANY_ARGUMENTS);
    }
    namedCallee(error, own?.value, sites[0]);
    const words = reworded(own?.value);
    if (words !== undefined) put(error, "message", words);
    stack = errorText(error);
  } catch {
    // What it says of itself cannot be read; where it was made can.
  }
  for (let index = 0; index < sites.length; index += 1) {
    const site = sites[index];
    const place = site.isNative() ? "native" : placeOf(site.getFileName(), site.getLineNumber(), site.getColumnNumber());
    stack += `\n    at ${site.getFunctionName() || "<anonymous>"} (${place})`;
  }
  // Whoever copies an error by its own names finds the stack, before the message.
  if (own?.configurable === true) {
    const { value } = getOwnPropertyDescriptor(error, "message");
    deleteProperty(error, "message");
    put(error, "stack", stack);
    put(error, "message", value);
  }
  return stack;
};
ErrorIntrinsic.prepareStackTrace = stackOf;
