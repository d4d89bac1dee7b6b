// What `import.meta` is in the modules of an extension's own: that of their source files, and not that of the bundle in which
// they lie. Bundles ask for it by a path below the root, because they are the same wherever the root lies (design/bundling.md).

const { assign, create, defineProperty } = Object;
const decode = decodeURIComponent;

/** The property of the global object by which a bundle asks; the bundler writes this name. */
const ASKED = Symbol.for("mangrove.importMeta");

const resolverOf = (Address, url, resolveName) => (...given) => {
  const specifier = `${given[0]}`;
  if (specifier.startsWith("./") || specifier.startsWith("../") || specifier.startsWith("/")) return new Address(specifier, url).href;
  return Address.canParse(specifier) ? new Address(specifier).href : resolveName(specifier);
};

/**
 * From now on bundles find what their modules are. `root` is the address of the directory in which their paths begin, with a
 * slash at its end; `resolveName` says what a name stands for that is no address, or throws.
 */
export const tellSources = (root, resolveName) => {
  const Address = URL;
  const known = create(null);
  const make = (path) => {
    const isFile = !path.startsWith("data:");
    const url = isFile ? root + path : path;
    const meta = { __proto__: null, url, main: false, resolve: resolverOf(Address, url, resolveName) };
    if (!isFile) return meta;
    let filename;
    try {
      filename = decode(new Address(url).pathname);
    } catch {
      // A path need not be a text.
      return meta;
    }
    const dirname = filename.slice(0, filename.lastIndexOf("/")) || "/";
    return assign(meta, { filename, dirname });
  };
  defineProperty(globalThis, ASKED, { value: (path) => (known[path] ??= make(path)) });
};
