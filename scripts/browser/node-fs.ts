/**
 * @module `node:fs/promises` in a page, which has no files: whatever asks for one is told so.
 */
const refuse = async (): Promise<never> => {
  throw new Error("A page has no files")
}

export {
  refuse as mkdir,
  refuse as open,
  refuse as readdir,
  refuse as readFile,
  refuse as rename,
  refuse as rm,
  refuse as stat,
  refuse as writeFile,
}
