/* How late the event loop is while a file store streams in and out and makes room. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../shared/child.mjs'
import { digits } from '../../shared/table.mjs'
import { envOf } from '../children/disk-contestants.mjs'

const CHILD = new URL('../children/disk-delay.mjs', import.meta.url)
const GOAL_MS = 5
const WORKS = ['nothing at all', 'a plain file, in and out', 'churn']

export async function delay({ quick, folder }) {
  const bytes = (quick ? 256 : 1024) * 2 ** 20
  const rows = []
  for (const engine of ['native', 'js']) {
    const dir = join(folder, `delay ${engine}`)
    mkdirSync(dir)
    const child = startChild(CHILD, { args: [engine, dir, String(bytes)], env: envOf(engine) })
    try {
      await child.receive('ready')
      for (const work of WORKS) {
        if (work !== 'churn' && engine === 'js') continue
        const answer = child.receive('measured')
        child.send({ type: 'measure', work })
        rows.push({
          name: work === 'churn' ? `${engine}: ${bytes / 2 ** 20} MiB in and out, reclaim` : work,
          ...(await answer),
        })
      }
      child.send({ type: 'close' })
      await child.exited
    } finally {
      await child.stop()
    }
  }
  return [
    {
      name: 'disk: delay of the event loop, ms',
      notes: [
        `values of 8 MiB as streams in and out, 256 sets of 4 KiB beside each, in a store of half the size; goal: p99 below ${GOAL_MS} ms`,
        'beyond the millisecond of the timer that measures; the first two rows are what the machine is late by without a store',
      ],
      table: [
        ['', 'took', 'p50', 'p99', 'longest', 'segments reclaimed', 'written ÷ given'],
        ...rows.map(({ name, ms, p50, p99, max, reclaimed, writeAmplification }) => [
          name,
          `${digits(ms / 1000)} s`,
          digits(p50),
          digits(p99),
          digits(max),
          reclaimed === undefined ? '' : String(reclaimed),
          writeAmplification === undefined ? '' : digits(writeAmplification),
        ]),
      ],
    },
  ]
}
