"use strict";
exports.one = 1;
exports.later = () => exports.one + 1;
exports.isItself = function () {
  return this === module.exports;
};
