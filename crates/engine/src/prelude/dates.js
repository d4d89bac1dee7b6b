// Dates as text by the rules of ECMA-402: of American English, and the usual numeric form of a few other languages. What is asked
// for and is not here is named by `lacks`, so that nobody takes a near miss for the real thing (design/inspection.md).

const { ownKeys } = Reflect;
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];

const two = (number) => (number < 10 ? `0${number}` : `${number}`);
const numeric = (form, number) => (form === "2-digit" ? two(number % 100) : `${number}`);
const named = (names, form, index) => (form === "long" ? names[index] : `${names[index][0]}${names[index][1]}${names[index][2]}`);

const clock24 = ({ hour, minute, second }) => `${two(hour)}:${two(minute)}:${two(second)}`;
const twelve = (hour) => (hour % 12 === 0 ? 12 : hour % 12);
const clock12 = (am, pm) => (at) => `${twelve(at.hour)}:${two(at.minute)}:${two(at.second)} ${at.hour < 12 ? am : pm}`;
const spread = (separator) => ({ year, month, day }) => `${two(day)}${separator}${two(month)}${separator}${year}`;
const short = (separator) => ({ year, month, day }) => `${day}${separator}${month}${separator}${year}`;
const international = ({ year, month, day }) => `${year}-${two(month)}-${two(day)}`;

// How a language writes the date, the time, and what stands between them, if nothing else is said.
const USUAL = {
  __proto__: null,
  "en-GB": [spread("/"), clock24, ", "], "en-CA": [international, clock12("a.m.", "p.m."), ", "], "en-AU": [spread("/"), clock12("am", "pm"), ", "],
  "de": [short("."), clock24, ", "], "de-DE": [short("."), clock24, ", "], "de-AT": [short("."), clock24, ", "],
  "fr": [spread("/"), clock24, " "], "fr-FR": [spread("/"), clock24, " "],
  "sv": [international, clock24, " "], "sv-SE": [international, clock24, " "],
};

const ANY = "any";
const NEEDED = { __proto__: null, weekday: "date", year: "date", month: "date", day: "date", hour: "time", minute: "time", second: "time" };
// All options that change a date's text; whatever else is given changes none.
const CHANGING = {
  __proto__: null,
  dateStyle: true, timeStyle: true, weekday: true, era: true, year: true, month: true, day: true, dayPeriod: true, hour: true,
  minute: true, second: true, fractionalSecondDigits: true, hour12: true, hourCycle: true, timeZone: true, timeZoneName: true,
  calendar: true, numberingSystem: true, formatMatcher: true, localeMatcher: true,
};
const NUMBERS = { __proto__: null, numeric: true, "2-digit": true };
const TEXTS = { __proto__: null, long: true, short: true };
const STYLES = { __proto__: null, full: true, long: true, medium: true, short: true };
// Which parts make a date of American English, by their first letters; `L` is a month in words.
const DATES = {
  __proto__: null,
  "": () => "",
  W: (at) => at.weekday, Y: (at) => at.year, M: (at) => at.month, L: (at) => at.month, D: (at) => at.day,
  MD: (at) => `${at.month}/${at.day}`,
  YM: (at) => `${at.month}/${at.year}`,
  YMD: (at) => `${at.month}/${at.day}/${at.year}`,
  WMD: (at) => `${at.weekday}, ${at.month}/${at.day}`,
  WYMD: (at) => `${at.weekday}, ${at.month}/${at.day}/${at.year}`,
  LD: (at) => `${at.month} ${at.day}`,
  YL: (at) => `${at.month} ${at.year}`,
  YLD: (at) => `${at.month} ${at.day}, ${at.year}`,
  WLD: (at) => `${at.weekday}, ${at.month} ${at.day}`,
  WYLD: (at) => `${at.weekday}, ${at.month} ${at.day}, ${at.year}`,
};
const TIMES = { __proto__: null, "": true, H: true, HM: true, HMS: true, M: true, MS: true, S: true };

const styled = (dateStyle, timeStyle, form) => {
  if ((dateStyle !== undefined && STYLES[dateStyle] !== true) || (timeStyle !== undefined && STYLES[timeStyle] !== true)) return { lacks: "dateStyle" };
  if (dateStyle === "full") form.weekday = "long";
  if (dateStyle !== undefined) {
    form.year = dateStyle === "short" ? "2-digit" : "numeric";
    form.month = dateStyle === "short" ? "numeric" : dateStyle === "medium" ? "short" : "long";
    form.day = "numeric";
  }
  if (timeStyle !== undefined) {
    form.hour = "numeric";
    form.minute = "2-digit";
    if (timeStyle !== "short") form.second = "2-digit";
    if (timeStyle === "full" || timeStyle === "long") form.zoneName = timeStyle === "full" ? "long" : "short";
  }
  return form;
};

/**
 * What a locale and options ask for, or `{ lacks }` with what is not here. `kind` is `date`, `time` or `any`, after the method. The
 * form's `timeZone` is a name or `undefined`, for the zone of the machine.
 */
export const dateForm = (locale, options, kind) => {
  const usual = USUAL[locale];
  if (usual === undefined && locale !== "en-US" && locale !== "en") return { lacks: "locale" };
  if (options !== undefined && (typeof options !== "object" || options === null)) return { lacks: "options" };
  const names = options === undefined ? [] : ownKeys(options);
  const form = { kind, usual };
  let { dateStyle, timeStyle, isTwelve, hasDate, hasTime } = form;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index];
    const value = options[name];
    if (value === undefined || CHANGING[name] !== true) continue;
    if (name === "timeZone") {
      if (typeof value !== "string") return { lacks: name };
      form.timeZone = value;
      continue;
    }
    if (usual !== undefined) return { lacks: name };
    if (name === "dateStyle") dateStyle = value;
    else if (name === "timeStyle") timeStyle = value;
    else if (name === "hour12" && typeof value === "boolean") isTwelve = value;
    else if (name === "hourCycle" && (value === "h12" || value === "h23")) isTwelve ??= options.hour12 ?? value === "h12";
    else if (name === "timeZoneName" && value === "short") form.zoneName = value;
    else {
      const need = NEEDED[name];
      const allowed = name === "weekday" ? TEXTS[value] : NUMBERS[value] ?? (name === "month" ? TEXTS[value] : undefined);
      if (need === undefined || allowed !== true) return { lacks: name };
      form[name] = value;
      if (need === "date") hasDate = true;
      else hasTime = true;
    }
  }
  if (typeof (isTwelve ?? true) !== "boolean") return { lacks: "hour12" };
  form.isTwelve = isTwelve ?? true;
  if (dateStyle !== undefined || timeStyle !== undefined) {
    if (hasDate || hasTime || form.zoneName !== undefined) return { lacks: "dateStyle" };
    if ((kind === "date" && timeStyle !== undefined) || (kind === "time" && dateStyle !== undefined)) return { lacks: "timeStyle" };
    return styled(dateStyle, timeStyle, form);
  }
  const hasNeeded = kind === "date" ? hasDate : kind === "time" ? hasTime : hasDate || hasTime;
  if (hasNeeded !== true) {
    if (kind !== "time") form.year = form.month = form.day = "numeric";
    if (kind !== "date") form.hour = form.minute = form.second = "numeric";
  }
  const isText = TEXTS[form.month] === true;
  form.dateKey = `${form.weekday ? "W" : ""}${form.year ? "Y" : ""}${form.month ? (isText ? "L" : "M") : ""}${form.day ? "D" : ""}`;
  form.timeKey = `${form.hour ? "H" : ""}${form.minute ? "M" : ""}${form.second ? "S" : ""}`;
  if (DATES[form.dateKey] === undefined) return { lacks: "weekday, year, month and day in this combination" };
  if (form.zoneName !== undefined && form.hour === undefined) return { lacks: "timeZoneName" };
  // A weekday by itself goes with the time in other ways.
  if (form.dateKey === "W" && form.timeKey !== "") return { lacks: "weekday" };
  if (TIMES[form.timeKey] === undefined) return { lacks: "hour, minute and second in this combination" };
  return form;
};

const timeText = (form, at) => {
  const isAlone = form.timeKey === "M" || form.timeKey === "S";
  const minute = isAlone ? `${at.minute}` : two(at.minute);
  const second = isAlone ? `${at.second}` : two(at.second);
  const parts = `${form.minute ? minute : ""}${form.minute && form.second ? ":" : ""}${form.second ? second : ""}`;
  if (!form.hour) return parts;
  const hour = form.isTwelve ? numeric(form.hour, twelve(at.hour)) : two(at.hour);
  const text = `${hour}${parts === "" ? "" : ":"}${parts}`;
  return form.isTwelve ? `${text} ${at.hour < 12 ? "AM" : "PM"}` : text;
};

/**
 * An instant in a form that `dateForm` gave, by its parts in the form's zone: year, month from 1, day, weekday from 0 for Sunday,
 * hour, minute, second, and `isUtc`. `undefined` if the form says more of this instant than is known here.
 */
export const formatDate = (form, at) => {
  if (at.year < 1) return undefined;
  if (form.zoneName !== undefined && !at.isUtc) return undefined;
  if (form.usual !== undefined) {
    const [date, time, between] = form.usual;
    return `${form.kind === "time" ? "" : date(at)}${form.kind === ANY ? between : ""}${form.kind === "date" ? "" : time(at)}`;
  }
  const shown = {
    weekday: form.weekday && named(WEEKDAYS, form.weekday, at.weekday),
    year: numeric(form.year, at.year),
    month: TEXTS[form.month] === true ? named(MONTHS, form.month, at.month - 1) : numeric(form.month, at.month),
    day: numeric(form.day, at.day),
  };
  const isText = TEXTS[form.month] === true;
  const key = form.dateKey ?? `${form.weekday ? "W" : ""}${form.year ? "Y" : ""}${form.month ? (isText ? "L" : "M") : ""}${form.day ? "D" : ""}`;
  const date = DATES[key](shown);
  let time = timeText(form, at);
  if (form.zoneName !== undefined && time !== "") time += form.zoneName === "long" ? " Coordinated Universal Time" : " UTC";
  const between = date === "" || time === "" ? "" : form.month === "long" ? " at " : ", ";
  return `${date}${between}${time}`;
};
