// Fields that read what the constructor was given, in classes that extend each other.
class Cache { private items = new Map([[this.cfg.name, this.cfg]]); constructor(private readonly cfg: { name: string }) {} get first() { return [...this.items.keys()][0]; } }
class Named { constructor(public name: string) {} } class Versioned extends Named { url = `/${this.name}/${this.ver}`; constructor(name: string, public ver: number) { super(name); } }
class Checked { readonly size = this.list.length; constructor(protected readonly list: string[] = ["default"], private readonly log = console) { if (this.size < 1) throw new Error("empty"); } has(x: string) { return this.list.includes(x) && typeof this.log === "object"; } }
export const result = () => [new Cache({ name: "q" }).first, new Versioned("n", 2).url, Object.keys(new Versioned("n", 2)), new Checked().size, new Checked(["a"]).has("a"), (() => { try { return new Checked([]); } catch (e) { return (e as Error).message; } })()];
