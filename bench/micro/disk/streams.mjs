/*
 * 512 MiB out of a cache, every chunk checked, beside what Node reads from a plain file without any check. Contestants take
 * turns, each in a process of its own; the bytes are in the page cache.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../shared/child.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'
import { digits } from '../../shared/table.mjs'
import { envOf } from '../children/disk-contestants.mjs'

const CHILD = new URL('../children/disk-streams.mjs', import.meta.url)
const BARE = 'createReadStream, 1 MiB'
const NAMES = [
  'createReadStream, 64 KiB',
  BARE,
  'native, Found.stream()',
  'native, Found.writeTo()',
  'native, Found.writeTo(), buffers pooled',
  'js, Found.stream()',
  'js, Found.writeTo()',
  'native, StoredEntry.read of 1 MiB',
  'js, StoredEntry.read of 1 MiB',
]
const GOAL = 1.2

export async function streams({ quick, folder }) {
  const size = (quick ? 128 : 512) * 2 ** 20
  const rounds = quick ? 5 : 9
  const children = []
  try {
    for (const name of NAMES) {
      const dir = join(folder, `stream ${NAMES.indexOf(name)}`)
      mkdirSync(dir)
      const child = startChild(CHILD, { args: [name, dir, String(size)], env: envOf(name) })
      await child.receive('ready')
      children.push({ name, child, dir, perSecond: [], cpu: [] })
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const { child, perSecond, cpu } of children) {
        const answer = child.receive('measured')
        child.send({ type: 'measure' })
        const measured = await answer
        perSecond.push(measured.perSecond)
        cpu.push(measured.cpuMs)
      }
    }
    for (const { child } of children) {
      child.send({ type: 'close' })
      await child.exited
    }
  } finally {
    for (const { child, dir } of children) {
      await child.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
  const bare = children.find(({ name }) => name === BARE)
  return [
    {
      name: `disk: ${size / 2 ** 20} MiB streamed out`,
      notes: [
        `median of ${rounds} rounds in turn; drey checks every chunk, createReadStream nothing; processor time of all threads`,
      ],
      records: [
        record({
          id: 'disk/stream',
          what: 'disk stream out, checked, beside createReadStream without a check',
          unit: 'GB/s',
          better: 'more',
          samples: Object.fromEntries(children.map(({ name, perSecond }) => [name, perSecond])),
          ratios: [
            ...NAMES.filter((name) => name.startsWith('native')).map((name) => ({
              of: [name, BARE],
              goal: GOAL,
            })),
            ...NAMES.filter(
              (name) => NAMES.includes(name.replace('native', 'js')) && name.startsWith('native'),
            ).map((name) => ({ of: [name, name.replace('native', 'js')] })),
          ],
        }),
      ],
      table: [
        ['', 'GB/s', 'ms of processor', 'speed ÷ createReadStream, 1 MiB', 'goal'],
        ...children.map(({ name, perSecond, cpu }) => [
          name,
          digits(median(perSecond)),
          digits(median(cpu)),
          `${(median(perSecond) / median(bare.perSecond)).toFixed(2)} ×`,
          name.startsWith('native') ? `${GOAL} ×` : '',
        ]),
      ],
    },
  ]
}
