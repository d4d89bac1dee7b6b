// What depends on a language: `localeCompare` and whatever begins with `toLocale`. What is known gives what Deno gives; everything
// else is a requirement in a run. An inspection takes what the engine has of its own instead, and notes that it did
// (design/inspection.md). Evaluated once, before any code of an extension.

import { dateForm, formatDate } from "mangrove:dates";
import { formatNumber, numberForm } from "mangrove:numbers";
import { missing } from "mangrove:refusals";

const host = globalThis.__mangroveHost;
const { inspecting } = host;
const { apply, getPrototypeOf, ownKeys } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const isWellFormed = uncurry(String.prototype.isWellFormed);
const test = uncurry(RegExp.prototype.test);
const { isArray } = Array;
const StringIntrinsic = String;
const NumberIntrinsic = Number;
const DateIntrinsic = Date;
const TypeErrorIntrinsic = TypeError;
const { isNaN } = NumberIntrinsic;

const getTime = uncurry(DateIntrinsic.prototype.getTime);
const getters = { __proto__: null };
for (const name of ["FullYear", "Month", "Date", "Day", "Hours", "Minutes", "Seconds"]) {
  getters[name] = uncurry(DateIntrinsic.prototype[`get${name}`]);
  getters[`UTC${name}`] = uncurry(DateIntrinsic.prototype[`getUTC${name}`]);
}

/** What this engine has of its own, where nobody depends on it; elsewhere an error that names what is missing. */
export const without = (method, lacks, original, self, parts) => {
  if (!inspecting) throw missing(`${method} (${lacks})`);
  host.approximated(method);
  return apply(original, self, parts);
};

/** The one locale that is asked for. What cannot be told is `undefined`. */
const localeOf = (locales) => {
  if (locales === undefined || (isArray(locales) && locales.length === 0)) return host.defaultLocale;
  const first = isArray(locales) && locales.length === 1 ? locales[0] : locales;
  return typeof first === "string" ? first : undefined;
};
const lackingLocale = (locales) => `the locale ${isArray(locales) ? `${locales}` : locales === undefined ? "of the variables LANG or LC_ALL" : StringIntrinsic(locales)}`;

/** Puts methods in place of those of a prototype; each is given the one that was there. */
const replaceMethods = (prototype, methods) => {
  for (const name of ownKeys(methods)) {
    const original = prototype[name];
    const { [name]: method } = methods[name](original);
    Reflect.defineProperty(method, "length", { value: original.length, configurable: true });
    Reflect.defineProperty(prototype, name, { value: method, writable: true, configurable: true, enumerable: false });
  }
};

const textOf = (self, method) => {
  if (self === undefined || self === null) throw new TypeErrorIntrinsic(`String.prototype.${method} called on null or undefined`);
  return `${self}`;
};

// How texts are compared, as one word of four letters for the host; `undefined` for what is not known.
const SENSITIVITIES = { __proto__: null, base: "b", accent: "a", case: "c", variant: "v" };
const OTHER_WAYS = { __proto__: null, collation: true, localeMatcher: true };
const FIRST = { __proto__: null, upper: "u", lower: "l", false: "-" };
const comparisonOf = (options) => {
  if (options === undefined) return "v---";
  if (typeof options !== "object" || options === null) return undefined;
  const names = ownKeys(options);
  for (let index = 0; index < names.length; index += 1) {
    if (options[names[index]] !== undefined && OTHER_WAYS[names[index]] === true) return undefined;
  }
  const { usage = "sort", sensitivity = "variant", numeric = false, ignorePunctuation = false, caseFirst = "false" } = options;
  const level = SENSITIVITIES[sensitivity];
  const first = FIRST[caseFirst];
  if (usage !== "sort" || level === undefined || first === undefined) return undefined;
  return `${level}${numeric ? "n" : "-"}${ignorePunctuation ? "p" : "-"}${first}`;
};

// Languages that change letters in their own way.
const OWN_LETTERS = /^(?:tr|az|lt|el|hy)(?:-|$)/i;
const PLAIN_TAG = /^[a-z]{2,3}(?:-[a-z]{4})?(?:-[a-z]{2})?$/i;
const changesCase = (method) => (original) => {
  const plain = String.prototype[method === "toLocaleUpperCase" ? "toUpperCase" : "toLowerCase"];
  return {
    [method](...parts) {
      const text = textOf(this, method);
      const locale = localeOf(parts[0]);
      const isKnown = locale !== undefined && test(PLAIN_TAG, locale) && !test(OWN_LETTERS, locale);
      return isKnown ? apply(plain, text, []) : without(method, lackingLocale(parts[0]), original, text, parts);
    },
  };
};

replaceMethods(String.prototype, {
  localeCompare: (original) => ({
    localeCompare(that, ...rest) {
      const text = textOf(this, "localeCompare");
      const other = `${that}`;
      const locale = localeOf(rest[0]);
      const comparison = comparisonOf(rest[1]);
      if (locale !== undefined && comparison !== undefined && isWellFormed(text) && isWellFormed(other)) {
        const order = host.compareTexts(text, other, locale, comparison);
        if (order !== undefined) return order;
      }
      const lacks = comparison === undefined ? "these options" : isWellFormed(text + other) ? lackingLocale(rest[0]) : "halves of characters";
      return without("localeCompare", lacks, original, text, [other]);
    },
  }),
  toLocaleUpperCase: changesCase("toLocaleUpperCase"),
  toLocaleLowerCase: changesCase("toLocaleLowerCase"),
});

const formatsNumbers = (prototype) => {
  const valueOf = uncurry(prototype.valueOf);
  replaceMethods(prototype, {
    toLocaleString: (original) => ({
      toLocaleString(...parts) {
        const value = valueOf(this);
        const form = numberForm(localeOf(parts[0]), parts[1]);
        if (form.lacks === undefined) return formatNumber(value, form);
        return without("toLocaleString", form.lacks === "locale" ? lackingLocale(parts[0]) : `the option ${form.lacks}`, original, value, []);
      },
    }),
  });
};
formatsNumbers(Number.prototype);
formatsNumbers(BigInt.prototype);

const partsOf = (date, prefix, isUtc) => ({
  year: getters[`${prefix}FullYear`](date),
  month: getters[`${prefix}Month`](date) + 1,
  day: getters[`${prefix}Date`](date),
  weekday: getters[`${prefix}Day`](date),
  hour: getters[`${prefix}Hours`](date),
  minute: getters[`${prefix}Minutes`](date),
  second: getters[`${prefix}Seconds`](date),
  isUtc,
});
/** The parts of an instant in a zone, that of the machine if there is no name; `undefined` if the zone is not known. */
const partsIn = (time, zone) => {
  if (zone === undefined) return partsOf(new DateIntrinsic(time), "", host.zoneIsUtc);
  const offset = host.zoneOffset(zone, time);
  return offset === undefined ? undefined : partsOf(new DateIntrinsic(time + offset * 1000), "UTC", zone === "UTC");
};
const formatsDates = (method, kind) => (original) => ({
  [method](...parts) {
    const time = getTime(this);
    if (isNaN(time)) return "Invalid Date";
    const form = dateForm(localeOf(parts[0]), parts[1], kind);
    let { lacks } = form;
    if (lacks === undefined) {
      const at = partsIn(time, form.timeZone);
      const text = at === undefined ? undefined : formatDate(form, at);
      if (text !== undefined) return text;
      lacks = at === undefined ? `timeZone ${form.timeZone}` : "the name of the time zone, or a year before the first";
    }
    return without(method, lacks === "locale" ? lackingLocale(parts[0]) : `the option ${lacks}`, original, this, []);
  },
});
replaceMethods(DateIntrinsic.prototype, {
  toLocaleString: formatsDates("toLocaleString", "any"),
  toLocaleDateString: formatsDates("toLocaleDateString", "date"),
  toLocaleTimeString: formatsDates("toLocaleTimeString", "time"),
});

// Lists pass on what they are asked for.
const listsPassOn = () => ({
  toLocaleString(...parts) {
    let text = "";
    for (let index = 0; index < this.length; index += 1) {
      const item = this[index];
      text += `${index === 0 ? "" : ","}${item === undefined || item === null ? "" : item.toLocaleString(parts[0], parts[1])}`;
    }
    return text;
  },
});
replaceMethods(Array.prototype, { toLocaleString: listsPassOn });
replaceMethods(getPrototypeOf(Uint8Array.prototype), { toLocaleString: listsPassOn });
