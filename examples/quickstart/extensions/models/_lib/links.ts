// A helper of the models in the directory above.

export interface Page {
  path: string;
  links: string[];
}

/** Every link that leads to no page, as `from -> to`, in the order of the pages. */
export function broken(pages: Page[]): string[] {
  const known = new Set(pages.map((page) => page.path));
  return pages.flatMap((page) => page.links.filter((link) => !known.has(link)).map((link) => `${page.path} -> ${link}`));
}
