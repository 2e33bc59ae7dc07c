import { writeFileSync } from 'node:fs'
import { fileSchema } from './files.js'

/*
 * A part of `npm run build:ts`: writes the JSON schema of configuration files beside what is built, `drey/schema.json`.
 */

const path = new URL('../../drey.schema.json', import.meta.url)
writeFileSync(path, `${JSON.stringify(fileSchema(), undefined, 2)}\n`)
