/*
 * Tables of plain text: the first column to the left, figures to the right, as wide as what is in them.
 */

/**
 * @param {readonly string[]} head
 * @param {ReadonlyArray<readonly string[]>} rows as many cells as `head`
 * @param {string} [indent] before each line
 * @returns {string} lines, without a line break at the end
 */
export function layOut(head, rows, indent = '  ') {
  for (const row of rows) {
    if (row.length !== head.length) {
      throw new RangeError(`table: a row has ${row.length} cells, its head ${head.length}`)
    }
  }
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at].length)))
  const line = (cells) =>
    indent +
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join('  ')
      .trimEnd()
  const rule = indent + widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(head), rule, ...rows.map(line)].join('\n')
}

const MiB = 2 ** 20

/** A figure with three digits that count, whatever its size. */
export function digits(value) {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

export const showMs = (ms) => `${digits(ms)} ms`
export const showMiB = (bytes) => `${digits(bytes / MiB)} MiB`
export const showPercent = (share) => `${digits(share * 100)} %`
export const showCount = (count) => Math.round(count).toLocaleString('en-US')

/** A size in the largest unit that it fills. */
export function showBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < MiB) return `${digits(bytes / 1024)} KiB`
  return showMiB(bytes)
}
