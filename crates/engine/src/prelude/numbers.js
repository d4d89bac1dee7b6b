// Numbers as text by the rules of ECMA-402: of American English, and plain ones of a few other languages. What is asked for and
// is not here is named by `lacks`, so that nobody takes a near miss for the real thing (design/inspection.md).

const { ownKeys } = Reflect;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const slice = uncurry(String.prototype.slice);
const indexOf = uncurry(String.prototype.indexOf);
const charCodeAt = uncurry(String.prototype.charCodeAt);
const repeat = uncurry(String.prototype.repeat);
const { isInteger } = Number;
const NumberIntrinsic = Number;
const StringIntrinsic = String;

// The currencies whose sign American English has, and how many digits follow the point.
const CURRENCIES = {
  __proto__: null,
  USD: ["$", 2], EUR: ["€", 2], GBP: ["£", 2], JPY: ["¥", 0], INR: ["₹", 2], CAD: ["CA$", 2], AUD: ["A$", 2], CNY: ["CN¥", 2],
  CHF: ["CHF", 2], SEK: ["SEK", 2], NOK: ["NOK", 2], DKK: ["DKK", 2], PLN: ["PLN", 2],
  BRL: ["R$", 2], MXN: ["MX$", 2], KRW: ["₩", 0], NZD: ["NZ$", 2],
};
const KNOWN = {
  __proto__: null,
  style: true, currency: true, minimumIntegerDigits: true, minimumFractionDigits: true, maximumFractionDigits: true,
  minimumSignificantDigits: true, maximumSignificantDigits: true, useGrouping: true, signDisplay: true,
};
// Other options that change a number's text; whatever else is given changes none.
const OTHERS = {
  __proto__: null,
  notation: true, compactDisplay: true, unit: true, unitDisplay: true, currencyDisplay: true, currencySign: true, roundingMode: true,
  roundingPriority: true, roundingIncrement: true, trailingZeroDisplay: true, numberingSystem: true, localeMatcher: true,
};
// What stands between groups of three digits, the decimal sign, and how many digits have no groups yet.
const ENGLISH = [",", ".", 3];
const POINTS_AND_COMMA = [".", ",", 3];
const SEPARATORS = {
  __proto__: null,
  "en": ENGLISH, "en-US": ENGLISH, "en-GB": ENGLISH, "en-CA": ENGLISH, "en-AU": ENGLISH, "en-IE": ENGLISH, "en-NZ": ENGLISH,
  "ja": ENGLISH, "ja-JP": ENGLISH, "ko": ENGLISH, "ko-KR": ENGLISH, "zh": ENGLISH, "zh-CN": ENGLISH,
  "de": POINTS_AND_COMMA, "de-DE": POINTS_AND_COMMA,
  "nl": POINTS_AND_COMMA, "nl-NL": POINTS_AND_COMMA, "pt-BR": POINTS_AND_COMMA, "id": POINTS_AND_COMMA, "tr": POINTS_AND_COMMA,
  "fr": ["\u202f", ",", 3], "fr-FR": ["\u202f", ",", 3], "es": [".", ",", 4], "es-ES": [".", ",", 4], "it": [".", ",", 4], "it-IT": [".", ",", 4],
  "pl": ["\u00a0", ",", 4], "pl-PL": ["\u00a0", ",", 4],
};
const SIGNS = { __proto__: null, auto: true, always: true, never: true, exceptZero: true, negative: true };

/** What a locale and options ask for, or `{ lacks }` with what is not here. */
export const numberForm = (locale, options) => {
  const separators = SEPARATORS[locale];
  if (separators === undefined) return { lacks: "locale" };
  if (options === undefined) return { separators, style: "decimal", least: 0, most: 3, integers: 1, grouping: "auto", sign: "auto" };
  if (typeof options !== "object" || options === null) return { lacks: "options" };
  const names = ownKeys(options);
  const given = { __proto__: null };
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index];
    const value = options[name];
    if (value === undefined) continue;
    if (OTHERS[name] === true) return { lacks: name };
    if (KNOWN[name] === true) given[name] = value;
  }
  const { style = "decimal", useGrouping = "auto", signDisplay: sign = "auto" } = given;
  if (style !== "decimal" && locale !== "en-US" && locale !== "en") return { lacks: "style" };
  if (style !== "decimal" && style !== "percent" && style !== "currency") return { lacks: "style" };
  if (useGrouping !== true && useGrouping !== false && useGrouping !== "auto" && useGrouping !== "always") return { lacks: "useGrouping" };
  if (SIGNS[sign] !== true) return { lacks: "signDisplay" };
  const currency = style === "currency" ? CURRENCIES[given.currency] : undefined;
  if (currency === undefined && (style === "currency" || given.currency !== undefined)) return { lacks: "currency" };
  const whole = (name, low, high, otherwise) => {
    const value = given[name];
    if (value === undefined) return otherwise;
    return isInteger(value) && value >= low && value <= high ? value : null;
  };
  const integers = whole("minimumIntegerDigits", 1, 21, 1);
  const grouping = useGrouping === true ? "always" : useGrouping;
  const form = { separators, style, currency, integers, grouping, sign };
  const usual = style === "currency" ? currency[1] : 0;
  const atMost = style === "decimal" ? 3 : usual;
  let least = whole("minimumFractionDigits", 0, 100, undefined);
  let most = whole("maximumFractionDigits", 0, 100, undefined);
  const leastSignificant = whole("minimumSignificantDigits", 1, 21, undefined);
  const mostSignificant = whole("maximumSignificantDigits", 1, 21, undefined);
  if (integers === null || least === null || most === null || leastSignificant === null || mostSignificant === null) return { lacks: "digits" };
  if (leastSignificant !== undefined || mostSignificant !== undefined) {
    form.leastSignificant = leastSignificant ?? 1;
    form.mostSignificant = mostSignificant ?? 21;
    if (form.leastSignificant > form.mostSignificant) return { lacks: "minimumSignificantDigits" };
    return form;
  }
  if (least === undefined && most !== undefined) least = usual < most ? usual : most;
  least ??= usual;
  most ??= least > atMost ? least : atMost;
  if (least > most) return { lacks: "minimumFractionDigits" };
  form.least = least;
  form.most = most;
  return form;
};

// The digits of a number that is finite and not negative, and how many of them stand before the point.
const digitsOf = (text) => {
  const e = indexOf(text, "e");
  const mantissa = e < 0 ? text : slice(text, 0, e);
  const exponent = e < 0 ? 0 : +slice(text, e + 1);
  const point = indexOf(mantissa, ".");
  let digits = point < 0 ? mantissa : slice(mantissa, 0, point) + slice(mantissa, point + 1);
  let before = (point < 0 ? mantissa.length : point) + exponent;
  let zeros = 0;
  while (zeros < digits.length && charCodeAt(digits, zeros) === 48) zeros += 1;
  digits = slice(digits, zeros);
  before -= zeros;
  return digits === "" ? { digits: "", before: 0 } : { digits, before };
};

// Half away from zero, of the shortest text that means the number.
const rounded = ({ digits, before }, kept) => {
  if (kept >= digits.length) return { digits, before };
  if (kept < 0) return { digits: "", before: 0 };
  let head = slice(digits, 0, kept);
  if (charCodeAt(digits, kept) < 53) return { digits: head, before };
  let at = kept - 1;
  while (at >= 0 && charCodeAt(head, at) === 57) at -= 1;
  if (at < 0) return { digits: `1${repeat("0", kept)}`, before: before + 1 };
  head = `${slice(head, 0, at)}${+head[at] + 1}${repeat("0", kept - at - 1)}`;
  return { digits: head, before };
};

const grouped = (digits, separator) => {
  let text = "";
  let end = digits.length;
  for (; end > 3; end -= 3) text = `${separator}${slice(digits, end - 3, end)}${text}`;
  return slice(digits, 0, end) + text;
};

// A code in letters keeps a distance from digits.
const isBetween = (code, low, high) => code >= low && code <= high;
const currencySign = (text, body) =>
  isBetween(charCodeAt(text, text.length - 1), 65, 90) && isBetween(charCodeAt(body, 0), 48, 57) ? `${text}\u00a0` : text;

/** A number or big integer in a form that `numberForm` gave. */
export const formatNumber = (value, form) => {
  const isBig = typeof value === "bigint";
  const isNegative = isBig ? value < 0n : value < 0 || (value === 0 && 1 / value < 0);
  let body;
  let isZero = false;
  if (value !== value) {
    body = "NaN";
  } else if (value === Infinity || value === -Infinity) {
    body = "∞";
  } else {
    let number = digitsOf(StringIntrinsic(isNegative && value !== 0 ? -value : isBig ? value : NumberIntrinsic(value)));
    if (form.style === "percent" && number.digits !== "") number.before += 2;
    let least = form.least;
    if (form.mostSignificant === undefined) {
      number = rounded(number, number.before + form.most);
    } else {
      number = rounded(number, form.mostSignificant);
      const shown = number.digits === "" ? 1 : number.before;
      least = form.leastSignificant > shown ? form.leastSignificant - shown : 0;
    }
    let { digits, before } = number;
    let end = digits.length;
    while (end > 0 && charCodeAt(digits, end - 1) === 48) end -= 1;
    digits = slice(digits, 0, end);
    isZero = digits === "";
    let whole = before > 0 ? slice(digits, 0, before) : "";
    if (whole.length < before && !isZero) whole += repeat("0", before - whole.length);
    if (whole.length < form.integers) whole = repeat("0", form.integers - whole.length) + whole;
    let fraction = isZero ? "" : before >= 0 ? slice(digits, before) : repeat("0", -before) + digits;
    if (fraction.length < least) fraction += repeat("0", least - fraction.length);
    const [group, point, ungrouped] = form.separators;
    const isGrouped = form.grouping === "always" || (form.grouping === "auto" && whole.length > ungrouped);
    body = (isGrouped ? grouped(whole, group) : whole) + (fraction === "" ? "" : `${point}${fraction}`);
  }
  if (form.style === "percent") body += "%";
  const isNumber = value === value;
  let sign = "";
  if (form.sign === "auto") sign = isNegative ? "-" : "";
  else if (form.sign === "always") sign = isNegative ? "-" : "+";
  else if (form.sign === "exceptZero") sign = isZero || !isNumber ? "" : isNegative ? "-" : "+";
  else if (form.sign === "negative") sign = isNegative && !isZero ? "-" : "";
  return `${sign}${form.style === "currency" ? currencySign(form.currency[0], body) : ""}${body}`;
};
