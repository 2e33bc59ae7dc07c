/*
 * The file store: speed beside databases and caches of others, streams beside plain files, the delay of the event loop,
 * room on the disk and in memory, opening, and what its policies answer. The parts are in ../disk.
 *
 * Wants the peers for their columns: npm --prefix bench/peers ci; and DREY_TRACES for the hit ratios.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { delay } from '../disk/delay.mjs'
import { hits } from '../disk/hits.mjs'
import { room } from '../disk/room.mjs'
import { speed } from '../disk/speed.mjs'
import { streams } from '../disk/streams.mjs'

export async function* suite({ quick }) {
  for (const part of [speed, streams, delay, room, hits]) {
    const folder = mkdtempSync(join(tmpdir(), 'drey-bench-'))
    try {
      yield* await part({ quick, folder })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
