// Parameter properties are set before the fields are initialized.
class Base { seen: string[] = []; constructor() { this.seen.push(Object.keys(this).join()); } }
const host = "of the module";
class Zone extends Base {
  url = `https://${this.host}/zone`;
  module = host;
  make = () => this.host;
  #secret = this.host.length;
  ["computed" + 1] = this.ttl;
  "quoted key" = 1;
  7 = "seven";
  plain?: number;
  declare type: string;
  static count = 3;
  constructor(private host: string, readonly ttl = 60, protected other?: string) {
    const before = "super";
    super();
    this.seen.push(before, this.host);
  }
  get secret() { return this.#secret; }
}
class Direct { label = this.name + "!"; constructor(public name: string) { this.label += "?"; } }
class Often extends Base { a = this.x; constructor(readonly x: number) { if (x > 1) super(); else { super(); } } }
class Late extends Base { b = this.y * 2; constructor(public y: number) { const self = super() as unknown; this.seen.push(String(self === this)); } }
class Overloaded { v = this.k; constructor(k: string); constructor(k: number); constructor(public k: unknown) {} }
class Outer { inner = new (class { z = this.w; constructor(public w = 4) {} })(); constructor(public q: number) {} }
export const result = () => {
  const zone = new Zone("h");
  return [zone, Object.keys(zone), zone.secret, zone.make(), zone.make.name, Zone.count, new Direct("d"), new Often(2), new Often(1),
    new Late(3), new Overloaded("k"), new Outer(1).inner, "type" in zone];
};
