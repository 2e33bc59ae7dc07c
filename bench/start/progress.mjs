/*
 * How far a piece of work is: a bar that moves where there is a terminal, else a plain line at each quarter.
 */

const BAR = 32

/**
 * The text of a bar.
 *
 * @param {number} done
 * @param {number} total at least 1
 * @returns {string}
 */
export function showBar(done, total) {
  const filled = Math.floor((Math.min(done, total) / total) * BAR)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${done} of ${total}`
}

/**
 * @param {{ isTTY?: boolean, columns?: number, write(text: string): unknown }} out
 * @param {string} label
 * @param {number} total
 * @returns {(done: number) => void} to be called with rising numbers, at last with `total`
 */
export function startProgress(out, label, total) {
  const terminal = out.isTTY === true
  let shown = 0
  return (done) => {
    const step = Math.ceil(total / (terminal ? 100 : 4))
    if (done < total && done < shown + step) return
    shown = done
    if (!terminal) {
      out.write(`${label}: ${done} of ${total}\n`)
      return
    }
    // A pseudo-terminal may say that it has 0 columns.
    const line = `${label} ${showBar(done, total)}`.slice(0, (out.columns || 80) - 1)
    out.write(`\r${line}${done < total ? '' : '\n'}`)
  }
}
