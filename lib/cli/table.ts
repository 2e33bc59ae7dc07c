/** Rows with columns as wide as they need be: the first to the left, the others to the right. */
export function tableOf(rows: ReadonlyArray<readonly string[]>): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd(),
  )
}

/** A part of a whole for people; a dash where there is no whole. */
export function showPart(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : '-'
}

/** A time for people, of milliseconds; a dash where nothing was timed. */
export function showTime(ms: number, count = 1): string {
  if (count === 0) return '-'
  if (ms < 1) return `${(ms * 1000).toFixed(ms < 0.01 ? 1 : 0)} us`
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** A count for people. */
export function showCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** So many of something: in the plural but for one. */
export function many(count: number, what: string): string {
  if (count === 1) return `1 ${what}`
  return `${count.toLocaleString('en-US')} ${what.endsWith('y') ? `${what.slice(0, -1)}ies` : `${what}s`}`
}
