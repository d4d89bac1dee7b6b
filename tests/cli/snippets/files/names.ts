export class NotFoundError extends Error { constructor(m: string) { super(m); this.name = this.constructor.name; } }
export function format() { return format.name; }
export class Event { own = true; }
export default class { static s = 1; }
