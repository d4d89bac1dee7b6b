// Names of classes and functions, also where another module has the same ones.
import unnamed, { NotFoundError as Other, format as otherFormat, Event as Own } from "./names.ts";
import arrow from "./arrow.ts";
class NotFoundError extends Error { constructor(m: string) { super(m); this.name = this.constructor.name; } }
function format() { return format.name; }
const Request = class {};
export const result = () => [new Other("x").name, new NotFoundError("y").name, String(new NotFoundError("z")), otherFormat(), format(), Own.name, new Event("e").type, Request.name, unnamed.name, arrow.name, NotFoundError.name === Other.name, Other.prototype instanceof Error];
