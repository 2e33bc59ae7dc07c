import type { Writable } from 'node:stream'
import { showSize } from '../config/units.js'

/** A bar that shows how far some work is, where somebody looks at it. */
export interface Progress {
  /** So many bytes of `total` are done. */
  at(done: number, total: number): void
  /** Takes the bar away. */
  end(): void
}

const WIDTH = 30
const CLEAR = '\r\x1b[K'

/** A bar on a terminal; elsewhere nothing, for what is written to a file is read later. */
export function createProgress(out: Writable & { readonly isTTY?: boolean }): Progress {
  if (out.isTTY !== true) return { at: () => undefined, end: () => undefined }
  let shown = -1
  return {
    at: (done, total) => {
      const permille = total === 0 ? 1000 : Math.floor((done * 1000) / total)
      if (permille === shown) return
      shown = permille
      const filled = Math.floor((permille * WIDTH) / 1000)
      const bar = `${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}`
      const percent = `${Math.floor(permille / 10)}`.padStart(3)
      out.write(`${CLEAR}[${bar}] ${percent} %  ${showSize(done)} of ${showSize(total)}`)
    },
    end: () => {
      if (shown !== -1) out.write(CLEAR)
    },
  }
}
