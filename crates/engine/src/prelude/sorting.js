// Sorting with a function that compares, as V8 does it: one that gives a truth value, or is not consistent, has an outcome that
// depends on which values are compared in which order. Evaluated once, before any code of an extension.

import { missing } from "mangrove:refusals";

const { inspecting } = globalThis.__mangroveHost;
const { apply, defineProperty, getPrototypeOf } = Reflect;
const TypeErrorIntrinsic = TypeError;
const StringIntrinsic = String;

const SINGLE_RUN = 64; // V8 takes fewer values as one run

const compared = (compare, left, right) => {
  const order = +compare(left, right);
  return order === order ? order : 0;
};

/** Sorts fewer than 64 values in place. */
const sortFew = (values, compare) => {
  const { length } = values;
  if (length < 2) return;
  let sorted = 2;
  const isDescending = compared(compare, values[1], values[0]) < 0;
  for (let previous = values[1]; sorted < length; sorted += 1) {
    const order = compared(compare, values[sorted], previous);
    if (isDescending ? order >= 0 : order < 0) break;
    previous = values[sorted];
  }
  if (isDescending) {
    for (let low = 0, high = sorted - 1; low < high; low += 1, high -= 1) {
      const value = values[low];
      values[low] = values[high];
      values[high] = value;
    }
  }
  for (let start = sorted; start < length; start += 1) {
    const pivot = values[start];
    let left = 0;
    let right = start;
    while (left < right) {
      const middle = left + ((right - left) >> 1);
      if (compared(compare, pivot, values[middle]) < 0) right = middle;
      else left = middle + 1;
    }
    for (let at = start; at > left; at -= 1) values[at] = values[at - 1];
    values[left] = pivot;
  }
};

// With many values the order is the same for every function that is consistent; a truth value never is.
const consistent = (compare) => (left, right) => {
  const order = compare(left, right);
  if (typeof order === "boolean" && !inspecting) throw missing("sort by a function that gives true or false");
  return order;
};

const arrayPrototype = Array.prototype;
const listPrototype = getPrototypeOf(Uint8Array.prototype);
const natives = { array: arrayPrototype.sort, arrayCopy: arrayPrototype.toSorted, list: listPrototype.sort, listCopy: listPrototype.toSorted };

/** Puts a value behind those of a list of ours, whatever code has made of `Array.prototype`. */
const append = (list, value) =>
  defineProperty(list, list.length, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

/** What is there and is not undefined; undefined values come behind, and then the holes. */
const sortArray = (self, compare) => {
  const present = [];
  let absent = 0;
  const { length } = self;
  for (let index = 0; index < length; index += 1) {
    if (!(index in self)) continue;
    const value = self[index];
    if (value === undefined) absent += 1;
    else append(present, value);
  }
  sortFew(present, compare);
  let at = 0;
  for (; at < present.length; at += 1) self[at] = present[at];
  for (const end = at + absent; at < end; at += 1) self[at] = undefined;
  for (; at < length; at += 1) delete self[at];
  return self;
};
const checked = (compare) => {
  if (compare !== undefined && typeof compare !== "function") {
    throw new TypeErrorIntrinsic(`The comparison function must be either a function or undefined: ${StringIntrinsic(compare)}`);
  }
};
const isFew = (self) => self.length < SINGLE_RUN;
const replaced = {
  sort(compare) {
    checked(compare);
    if (compare === undefined || this === undefined || this === null) return apply(natives.array, this, [compare]);
    return isFew(this) ? sortArray(Object(this), compare) : apply(natives.array, this, [consistent(compare)]);
  },
  toSorted(compare) {
    checked(compare);
    if (compare === undefined || this === undefined || this === null) return apply(natives.arrayCopy, this, [compare]);
    const copy = [];
    for (let index = 0, { length } = this; index < length; index += 1) append(copy, this[index]);
    return apply(replaced.sort, copy, [compare]);
  },
};
const replacedOfLists = {
  sort(compare) {
    checked(compare);
    if (compare === undefined) return apply(natives.list, this, []);
    return apply(natives.list, this, [consistent(compare)]);
  },
  toSorted(compare) {
    checked(compare);
    const copy = apply(natives.listCopy, this, []);
    if (compare === undefined) return copy;
    for (let index = 0; index < copy.length; index += 1) copy[index] = this[index];
    return apply(replacedOfLists.sort, copy, [compare]);
  },
};
for (const [prototype, methods] of [[arrayPrototype, replaced], [listPrototype, replacedOfLists]]) {
  for (const name of ["sort", "toSorted"]) {
    Reflect.defineProperty(prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
  }
}
