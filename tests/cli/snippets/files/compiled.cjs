"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.default = "the default of its own";
exports.two = 2;
