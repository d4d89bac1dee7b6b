// What stands in the place of an assignment to a constant or to an import. The words are those of Deno.

export function assigned() {
  throw new TypeError("Assignment to constant variable.");
}

const refuse = (what, key) => {
  throw new TypeError(`Cannot ${what} property '${String(key)}' of [object Module]`);
};

// A namespace whose members cannot be changed.
export function sealed(module) {
  return new Proxy(Object.create(null), {
    get: (_target, key) => module[key],
    has: (_target, key) => key in module,
    set: (_target, key) => refuse("assign to", key),
    deleteProperty: (_target, key) => !(key in module) || refuse("delete", key),
  });
}
