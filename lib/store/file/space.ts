/*
 * What files take on a disk.
 */

/** The allocation unit that is counted in. */
export const UNIT = 4096

/** Extents that one block of a file's map describes on the file system that needs most. */
const EXTENTS_PER_BLOCK = 340
/** Extents that need no block of their own. */
const INLINE_EXTENTS = 4
/** Entries of a folder, with the longest names, that its first block holds, and that each further one holds at least. */
const FIRST_ENTRIES = 60
const ENTRIES_PER_BLOCK = 28

/**
 * The most that a file of `bytes` takes in blocks: its own, and those of the map of its extents should each of its blocks
 * lie elsewhere, which nobody knows before it is written out.
 */
export function allotment(bytes: number): number {
  const blocks = Math.ceil(bytes / UNIT)
  if (blocks <= INLINE_EXTENTS) return blocks * UNIT
  const leaves = Math.ceil(blocks / EXTENTS_PER_BLOCK)
  const inner = leaves > INLINE_EXTENTS ? Math.ceil(leaves / EXTENTS_PER_BLOCK) : 0
  return (blocks + leaves + inner) * UNIT
}

/** The same of a blob whose file takes so many units. */
export function blobAllotment(units: number): number {
  return allotment(units * UNIT)
}

export function unitsOf(bytes: number): number {
  return Math.ceil(bytes / UNIT)
}

/** The most that the folders of blobs take beyond their first blocks when there are, or were, so many blobs. */
export function namesAllotment(blobs: number): number {
  return UNIT * Math.ceil(blobs / ENTRIES_PER_BLOCK)
}

/** The most that a folder takes which has, or had, so many entries. */
export function folderAllotment(entries: number): number {
  if (entries <= FIRST_ENTRIES) return UNIT
  return UNIT * (2 + Math.ceil(entries / ENTRIES_PER_BLOCK))
}
