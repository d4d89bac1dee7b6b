export const itself = [import.meta.url, import.meta.filename, import . meta . dirname, import.meta.main, import.meta.resolve("./data.json")];
export const theirs = () => import.meta;
