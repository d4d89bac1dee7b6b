// A file that need not be there.
const attempt = async (load: () => Promise<unknown>) => { try { await load(); return "loaded"; } catch (error) { return error instanceof Error; } };
export const result = async () => [await attempt(() => import("./nowhere.ts")), await attempt(() => import("./lazy.ts"))];
