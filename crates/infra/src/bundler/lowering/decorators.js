// What a class with decorators calls, in the place of what an engine with decorators would do by itself: the decorators
// of the standard as of 2022-03 with `metadata`, in the order and with the contexts that Deno gives them.

const { create, defineProperty, getOwnPropertyDescriptor } = Object;

if (Symbol.metadata === undefined) {
  defineProperty(Symbol, "metadata", { value: Symbol.for("Symbol.metadata") });
}

const [FIELD, ACCESSOR, METHOD, GETTER, SETTER, STATIC] = [0, 1, 2, 3, 4, 5];
const KINDS = ["field", "accessor", "method", "getter", "setter"];

const mustBeFunction = (value, what) => {
  if (typeof value !== "function") throw new TypeError(`${what} must be a function`);
};

// The context of a decorator takes initializers for as long as the decorator runs.
const whileRunning = (initializers, run) => {
  let isOver = false;
  try {
    return run((initializer) => {
      if (isOver) throw new Error("attempted to call addInitializer after decoration was finished");
      mustBeFunction(initializer, "An initializer");
      initializers.push(initializer);
    });
  } finally {
    isOver = true;
  }
};

const checkResult = (kind, result) => {
  if (kind !== ACCESSOR) {
    if (typeof result === "function") return;
    throw new TypeError(`${kind === FIELD ? "field" : "method"} decorators must return a function or void 0`);
  }
  if (typeof result !== "object" || result === null) {
    throw new TypeError("accessor decorators must return an object with get, set, or init properties or void 0");
  }
  for (const part of ["get", "set", "init"]) {
    if (result[part] !== undefined) mustBeFunction(result[part], `accessor.${part}`);
  }
};

// What `context.access` offers of a member.
const accessTo = ({ kind, name, isPrivate }, parts) => {
  const access = isPrivate ? {} : { has: (target) => name in target };
  let get, set;
  if (kind === FIELD && !isPrivate) {
    get = function () { return this[name]; };
    set = function (value) { this[name] = value; };
  } else if (kind === METHOD) {
    get = () => parts.value;
  } else if (kind === FIELD) {
    ({ get, set } = parts);
  } else {
    if (parts.get !== undefined && kind !== SETTER) get = function () { return parts.get.call(this); };
    if (parts.set !== undefined && kind !== GETTER) set = function (value) { parts.set.call(this, value); };
  }
  if (get !== undefined) {
    access.get = isPrivate ? get : function (target) { return get.call(arguments.length === 0 ? this : target); };
  }
  if (set !== undefined) {
    access.set = isPrivate ? set : function (target, value) {
      return arguments.length === 1 ? set.call(this, target) : set.call(target, value);
    };
  }
  return access;
};

// What stands in the class for a member: a descriptor, or the parts of a private one.
const partsOf = (base, { kind, name, isPrivate }, given) => {
  if (!isPrivate) return kind === FIELD ? {} : getOwnPropertyDescriptor(base, name);
  if (kind === FIELD || kind === ACCESSOR) return { get: given[0], set: given[1] };
  if (kind === GETTER) return { get: given[0] };
  return kind === SETTER ? { set: given[0] } : { value: given[0] };
};

const decoratedValue = (kind, parts) => {
  if (kind === ACCESSOR) return { get: parts.get, set: parts.set };
  return kind === METHOD ? parts.value : kind === GETTER ? parts.get : kind === SETTER ? parts.set : undefined;
};

// Applies the decorators of one member, and adds to `results` what the class calls for it.
const decorateMember = (results, base, member, decorators, given, initializers, metadata) => {
  const { kind, name, isStatic, isPrivate } = member;
  const parts = partsOf(base, member, given);
  let value = decoratedValue(kind, parts);
  const inits = [];
  for (let index = decorators.length - 1; index >= 0; index -= 1) {
    const result = whileRunning(initializers, (addInitializer) => {
      const context = {
        kind: KINDS[kind],
        name: isPrivate ? `#${name}` : name,
        static: isStatic,
        private: isPrivate,
        metadata,
        addInitializer,
        access: accessTo(member, parts),
      };
      return (0, decorators[index])(value, context);
    });
    if (result === undefined) continue;
    checkResult(kind, result);
    if (kind === FIELD) {
      inits.push(result);
    } else if (kind === ACCESSOR) {
      if (result.init !== undefined) inits.push(result.init);
      value = { get: result.get || value.get, set: result.set || value.set };
    } else {
      value = result;
    }
  }
  if (kind === FIELD || kind === ACCESSOR) {
    results.push((instance, initial) => inits.reduce((so, init) => init.call(instance, so), initial));
  }
  if (kind === FIELD) return;
  if (kind === ACCESSOR) {
    parts.get = value.get;
    parts.set = value.set;
  } else {
    parts[kind === METHOD ? "value" : kind === GETTER ? "get" : "set"] = value;
  }
  if (!isPrivate) {
    defineProperty(base, name, parts);
  } else if (kind === ACCESSOR) {
    results.push((instance) => value.get.call(instance), (instance, next) => value.set.call(instance, next));
  } else {
    results.push(kind === METHOD ? value : (instance, next) => value.call(instance, next));
  }
};

// Two decorated members of one name exclude each other, but for a getter and its setter.
const refuseTwice = (seen, name, kind) => {
  const before = seen.get(name);
  if (before === true || (before === GETTER && kind !== SETTER) || (before === SETTER && kind !== GETTER)) {
    throw new Error(
      `Attempted to decorate a public method/accessor that has the same name as a previously decorated public method/accessor. This is not currently supported by the decorators plugin. Property name was: ${String(name)}`,
    );
  }
  seen.set(name, before === undefined && kind > METHOD ? kind : true);
};

const decorateMembers = (target, members, metadata) => {
  const results = [];
  const initializers = { instance: undefined, fixed: undefined };
  const seen = { instance: new Map(), fixed: new Map() };
  for (const [decorators, code, name, ...given] of members) {
    const isStatic = code >= STATIC;
    const kind = isStatic ? code - STATIC : code;
    const isPrivate = given.length > 0;
    const side = isStatic ? "fixed" : "instance";
    initializers[side] ??= [];
    if (kind !== FIELD && !isPrivate) refuseTwice(seen[side], name, kind);
    const member = { kind, name, isStatic, isPrivate };
    const base = isStatic ? target : target.prototype;
    decorateMember(results, base, member, decorators, given, initializers[side], metadata);
  }
  for (const list of [initializers.instance, initializers.fixed]) {
    if (list !== undefined) {
      results.push((instance) => {
        for (const initializer of list) initializer.call(instance);
        return instance;
      });
    }
  }
  return results;
};

const defineMetadata = (target, metadata) =>
  defineProperty(target, Symbol.metadata, { configurable: true, enumerable: true, value: metadata });

const decorateClass = (target, decorators, metadata) => {
  const initializers = [];
  const { name } = target;
  let current = target;
  for (let index = decorators.length - 1; index >= 0; index -= 1) {
    const next = whileRunning(initializers, (addInitializer) =>
      (0, decorators[index])(current, { kind: "class", name, addInitializer, metadata }));
    if (next === undefined) continue;
    if (typeof next !== "function") throw new TypeError("class decorators must return a function or void 0");
    current = next;
  }
  defineMetadata(current, metadata);
  return [current, () => {
    for (const initializer of initializers) initializer.call(current);
  }];
};

/**
 * Applies the decorators of a class. A member is `[decorators, kind, name, ...parts of a private one]`. Gives what
 * initializes the members, in the order of the members, and, asked for `c`, the class and its own initializers.
 */
export const applyDecorators = (target, members, classDecorators, parent) => {
  const metadata = create(parent === undefined ? null : parent[Symbol.metadata] ?? null);
  const e = decorateMembers(target, members, metadata);
  if (classDecorators.length === 0) defineMetadata(target, metadata);
  return {
    e,
    get c() {
      return decorateClass(target, classDecorators, metadata);
    },
  };
};
