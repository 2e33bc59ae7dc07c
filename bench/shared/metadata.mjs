/** Metadata of a value that stays fresh: any will do, and it is the same for all entries. */
export function metadataOf(size) {
  const until = Number.MAX_SAFE_INTEGER
  const times = { cachedAt: 1, freshUntil: until, staleUntil: until, staleIfErrorUntil: until }
  return { size, ...times, negative: false, tags: [] }
}
