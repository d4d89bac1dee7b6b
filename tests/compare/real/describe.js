// What an author's module exports, described by the export alone, as Deno loads it. `request` stands before this text.
const { stringify, parse } = JSON;
const { log } = console;
const { exit } = Deno;
const answer = (content) => {
  log(`${request.mark}${stringify(content)}`);
  exit(0);
};
globalThis.addEventListener("unhandledrejection", (event) => event.preventDefault());

const load = (specifier) => import(specifier);
const module = await load(request.entry).catch((error) => answer({ failed: `${error}` }));
const exportName = request.exportNames.find((name) => name in module);
if (exportName === undefined) answer({ failed: `it exports none of ${request.exportNames.join(", ")}` });
if (request.onlyLoad) answer({ exportName });

// Converters of the schema libraries that the module uses, as it names them.
const converters = [];
for (const specifier of request.libraries) {
  const library = await load(specifier);
  const converter = library.toJSONSchema ?? library.z?.toJSONSchema;
  if (typeof converter === "function") converters.push(converter);
}

const isFunction = (value) => typeof value === "function";
const isSchema = (value) =>
  value !== null &&
  (typeof value === "object" || isFunction(value)) &&
  isFunction(value.parse) &&
  isFunction(value.safeParse) &&
  (value._def !== undefined || value["~standard"] !== undefined);

const plain = (value) => parse(stringify(value, (_key, member) => (typeof member === "bigint" ? undefined : member)));
let unconverted = 0;
const schemaOf = (schema) => {
  if (!isSchema(schema)) return undefined;
  const options = { io: "input", unrepresentable: "any" };
  const standard = schema["~standard"]?.jsonSchema;
  const ways = [
    isFunction(schema.toJSONSchema) && (() => schema.toJSONSchema(options)),
    ...converters.map((converter) => () => converter(schema, options)),
    isFunction(standard?.input) && (() => standard.input({ target: "draft-2020-12" })),
  ];
  for (const way of ways.filter(isFunction)) {
    try {
      const converted = way();
      if (typeof converted === "object" && converted !== null) return plain(converted);
    } catch {
      // The next one may be able to.
    }
  }
  unconverted += 1;
  return {};
};

// The members of these names that are there, as they are.
const pick = (value, names) => names.filter((name) => value[name] !== undefined).map((name) => [name, plain(value[name])]);
const record = (value, describe) =>
  Object.fromEntries(Object.entries(value).map(([name, member]) => [name, Object.fromEntries(describe(member))]));

const RETENTION = ["lifetime", "garbageCollection"];
const resource = (value) => [
  ["schema", schemaOf(value.schema)],
  ...pick(value, [...RETENTION, "description", "vaultName", "sensitiveOutput", "tags"]),
];
const file = (value) => pick(value, ["contentType", ...RETENTION, "description", "streaming", "tags"]);
const check = (value) => pick(value, ["description", "labels", "appliesTo"]);
const SECTIONS = { resources: resource, files: file, checks: check };

const methods = (value) =>
  Object.entries(value).map(([name, method]) => ({
    name,
    description: method.description,
    kind: method.kind ?? null,
    arguments: schemaOf(method.arguments),
  }));

const model = (value) => {
  const details = {};
  if (value.globalArguments !== undefined) details.globalArguments = schemaOf(value.globalArguments);
  for (const [name, describe] of Object.entries(SECTIONS)) {
    if (value[name] !== undefined) details[name] = record(value[name], describe);
  }
  if (value.upgrades !== undefined) {
    details.upgrades = value.upgrades.map(({ toVersion, description }) => ({ toVersion, description }));
  }
  if (value.reports !== undefined) details.reports = plain(value.reports);
  return { version: value.version, methods: methods(value.methods), details };
};

// Of a name that comes again the first one counts.
const firsts = (records, entriesOf, indexes) => {
  const found = new Map();
  records.forEach((one, index) => {
    for (const [name, entry] of entriesOf(one)) {
      if (found.has(name)) continue;
      found.set(name, entry);
      indexes[name] = index;
    }
  });
  return found;
};

const addOn = (value) => {
  const details = { methodRecords: {} };
  const byName = (one) => methods(one).map((method) => [method.name, method]);
  const all = firsts(value.methods ?? [], byName, details.methodRecords);
  if (value.checks !== undefined) {
    const indexes = {};
    details.checks = Object.fromEntries(firsts(value.checks, (one) => Object.entries(record(one, check)), indexes));
    details.checkRecords = indexes;
  }
  if (value.resources !== undefined) details.resources = record(value.resources, resource);
  return { version: null, methods: [...all.values()], details };
};

const report = (value) => ({
  version: null,
  methods: [],
  details: Object.fromEntries(pick(value, ["description", "scope", "labels"])),
});

const factory = (value) => {
  const details = Object.fromEntries(pick(value, ["name", "description"]));
  if (value.configSchema !== undefined) details.configSchema = schemaOf(value.configSchema);
  return { version: null, methods: [], details };
};

try {
  const value = module[exportName];
  const describe = { model, extension: addOn, report }[exportName] ?? factory;
  const description = describe(value);
  answer({ exportName, type: value[request.typeKey], unconverted, description });
} catch (error) {
  answer({ failed: `what it exports cannot be described: ${error}` });
}
