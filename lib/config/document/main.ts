import { writeFileSync } from 'node:fs'
import { madeFiles } from './files.js'

/*
 * `npm run docs:config`: writes what is made out of the schema: two pages of the reference, and the doc comments of options.
 */

const ROOT = new URL('../../../', import.meta.url)

for (const [path, text] of madeFiles(ROOT)) writeFileSync(new URL(path, ROOT), text)
