"use strict";
module.exports = (value) => value * 2;
