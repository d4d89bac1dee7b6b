// `Date` as other engines have it: which texts it reads, and that it names its zone. The inspector's clock starts at a fixed instant
// and moves by one millisecond per look, so that a bundle looks the same every time and a busy wait ends.

import { without } from "mangrove:locale";

const host = globalThis.__mangroveHost;
const { inspecting, now } = host;
const { apply, construct } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const test = uncurry(RegExp.prototype.test);
const toUpperCase = uncurry(String.prototype.toUpperCase);
const RealDate = Date;
const { parse } = RealDate;
const getTime = uncurry(RealDate.prototype.getTime);
const isNaN = Number.isNaN;
const ObjectIntrinsic = Object;

// Letters of any case are read in this form.
const INSTANT = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?$/;
// What this engine would read and others do not: a comma before parts of a second, an offset of hours alone, a month 0, a day of the
// year, a day after the 31st, a minus sign that is none, and zones by their European letters.
const UNREADABLE =
  /\d:\d\d,\d|T\d\d:\d\d(?::\d\d(?:\.\d+)?)?[+-]\d\d$|^\d{4}-00|^\d{4}-\d{3}$|^\d{1,2}\/(?:3[2-9]|[4-9]\d)\/\d|\u2212|\b(?:WE|CE|EE)S?T\b/i;
const read = (text) => {
  if (test(UNREADABLE, text)) return NaN;
  return parse(test(INSTANT, text) ? toUpperCase(text) : text);
};

const primitive = (value) => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
  const made = value[Symbol.toPrimitive];
  if (made !== undefined && made !== null) return apply(made, value, ["default"]);
  const plain = value.valueOf();
  return typeof plain === "object" || typeof plain === "function" ? value.toString() : plain;
};
const isDate = (value) => {
  try {
    getTime(value);
    return true;
  } catch {
    return false;
  }
};
const partOf = (value) => {
  if (isDate(value)) return getTime(value);
  const plain = primitive(value);
  return typeof plain === "string" ? read(plain) : plain;
};

const DateOfOurs = function Date(...parts) {
  if (new.target === undefined) return new RealDate(now()).toString();
  if (parts.length === 0 && inspecting) parts = [now()];
  else if (parts.length === 1) parts = [partOf(parts[0])];
  return construct(RealDate, parts, new.target);
};
const described = (name, value) => Reflect.defineProperty(DateOfOurs, name, { value, writable: true, configurable: true });
described("now", inspecting ? { now: () => now() }.now : RealDate.now);
described("parse", { parse: (text) => read(`${text}`) }.parse);
described("UTC", RealDate.UTC);
Reflect.defineProperty(DateOfOurs, "length", { value: 7, configurable: true });
Reflect.defineProperty(DateOfOurs, "prototype", { value: RealDate.prototype, writable: false });
Reflect.defineProperty(RealDate.prototype, "constructor", { value: DateOfOurs, writable: true, configurable: true });
Reflect.defineProperty(globalThis, "Date", { value: DateOfOurs, writable: true, configurable: true });

// The name of the zone stands behind the offset.
for (const method of ["toString", "toTimeString"]) {
  const original = RealDate.prototype[method];
  const named = {
    [method]() {
      const text = apply(original, this, []);
      const time = getTime(this);
      if (isNaN(time)) return text;
      const name = host.defaultLocale === undefined ? undefined : host.zoneName(time);
      return name === undefined ? without(`Date.prototype.${method}`, "the name of the time zone", original, this, []) : `${text} (${name})`;
    },
  };
  Reflect.defineProperty(RealDate.prototype, method, { value: named[method], writable: true, configurable: true });
}
