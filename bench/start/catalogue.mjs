import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * The files that the sample origin serves: what every checkout has. Origin and load generator each build the
 * catalogue for themselves, from the same folders in the same order.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDERS = ['docs', 'lib', 'node_modules']
const MIN_BYTES = 100
const MAX_BYTES = 8 * 2 ** 20

/** Files below `folder`, by name; no links, and nothing hidden: tools keep their scratch there. */
function* filesBelow(folder) {
  const entries = readdirSync(folder, { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/**
 * The files with their paths in a URL, which are paths below the checkout.
 *
 * @returns {Array<{ file: string, path: string, size: number, modified: Date }>}
 */
export function readCatalogue() {
  const catalogue = []
  for (const folder of FOLDERS) {
    for (const file of filesBelow(join(ROOT, folder))) {
      const { size, mtime } = statSync(file)
      if (size < MIN_BYTES || size > MAX_BYTES) continue
      const names = file.slice(ROOT.length).split(sep)
      catalogue.push({ file, path: `/${names.map(encodeURIComponent).join('/')}`, size, modified: mtime })
    }
  }
  return catalogue
}

/**
 * Says whether a body is what the file holds: as long, and with the same hash. Reads a file when it is first asked for.
 *
 * @returns {(item: { file: string }, length: number, sha256: string) => boolean}
 */
export function createVerifier() {
  const known = new Map()
  return (item, length, sha256) => {
    let truth = known.get(item.file)
    if (truth === undefined) {
      const bytes = readFileSync(item.file)
      truth = { length: bytes.length, sha256: hashOf(bytes) }
      known.set(item.file, truth)
    }
    return truth.length === length && truth.sha256 === sha256
  }
}

/** @param {Uint8Array} bytes */
export function hashOf(bytes) {
  return createHash('sha256').update(bytes).digest('base64')
}
