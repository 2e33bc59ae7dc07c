/*
 * The buffer pool beside `Buffer.allocUnsafe`: what it costs to have a Buffer for a moment, one at a time, and 64 at once that come back in
 * random order. A process for each contestant; they take turns, and the median of the rounds counts.
 *
 * What is compared is the whole use: one byte of each page is written by all, since memory that nobody touches costs nothing. `get + put`
 * is the pool's own part of it, without a touch.
 */
import { startChild } from '../../shared/child.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'

const CHILD = new URL('../children/buffers.mjs', import.meta.url)
const CONTESTANTS = ['allocUnsafe', 'native', 'js']
const KiB = 1024
const CLASSES = [4, 16, 32, 64, 128, 256, 512, 1024].map((size) => size * KiB)
const ODD = [5000, 50_000, 200_000, 700_000]
/** 64 sizes in turns, between the half of it and all of it. */
const CHANGING = [64 * KiB, 1024 * KiB]
const OUT = [1, 64]
const KINDS = [
  ...CLASSES.map((size) => ({ size, kind: 'class' })),
  ...ODD.map((size) => ({ size, kind: 'other' })),
  ...CHANGING.map((size) => ({ size, kind: 'changing', vary: true })),
]
/** Nanoseconds of get and put. */
const CLASS_GOAL = 50
const ODD_GOAL = 150

export async function suite({ quick }) {
  const rounds = quick ? 3 : 9
  const ms = quick ? 10 : 20
  const children = new Map()
  for (const name of CONTESTANTS) {
    const child = startChild(CHILD, { args: [name] })
    await child.receive('ready')
    children.set(name, child)
  }
  const measure = async (names, work) => {
    const samples = new Map(names.map((name) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const name of names) {
        const child = children.get(name)
        const measured = child.receive('measured')
        child.send({ type: 'measure', work, ms })
        samples.get(name).push(await measured)
      }
    }
    const middle = (all, field) => median(all.map((one) => one[field]))
    return new Map(
      [...samples].map(([name, all]) => [
        name,
        {
          ns: middle(all, 'ns'),
          all: all.map(({ ns }) => ns),
          gcMs: middle(all, 'gcMs'),
          direct: middle(all, 'direct'),
          hitRate: Math.min(...all.map(({ hitRate }) => hitRate ?? 1)),
        },
      ]),
    )
  }

  const rows = []
  for (const { kind, ...work } of KINDS) {
    for (const out of OUT) {
      const touched = await measure(CONTESTANTS, { ...work, out, touch: true })
      const plain = await measure(['native', 'js'], { ...work, out, touch: false })
      rows.push({ ...work, out, kind, touched, plain })
    }
  }
  const [off, on] = [
    await measure(['native'], { size: 64 * KiB, out: 64, touch: true }),
    await measure(['native'], { size: 64 * KiB, out: 64, touch: true, metrics: true }),
  ]
  for (const child of children.values()) await child.stop()

  const worst = (kind, name) =>
    Math.max(...rows.filter((row) => row.kind === kind).map(({ plain }) => plain.get(name).ns))
  const atMost = (what, kind, goal) => ({
    what: `get + put, ${what}, native: at most ${goal} ns`,
    actual: `${worst(kind, 'native').toFixed(1)} ns; js ${worst(kind, 'js').toFixed(1)} ns`,
    holds: worst(kind, 'native') <= goal,
  })
  const hits = Math.min(...rows.map(({ touched }) => touched.get('native').hitRate))
  const cost = on.get('native').ns / off.get('native').ns - 1
  return {
    notes: [
      `processor time, median of ${rounds} rounds of ${ms} ms and more; one byte of each page is written, but in the columns get + put`,
      'collections: milliseconds for a million operations; allocated: of a million Buffers, those that were not from the pool',
      `detailedMetrics, 64 KiB, 64 out, touched: ${(cost * 100).toFixed(1)} % more`,
    ],
    table: [
      [
        'bytes, out at once',
        'allocUnsafe',
        'native',
        'js',
        'native ÷ allocUnsafe',
        'native ÷ js',
        'get + put, native',
        'js',
        'collections, allocUnsafe',
        'native',
        'js',
        'allocated, native',
        'hit rate',
      ],
      ...rows.map(({ size, vary, out, touched, plain }) => {
        const [alloc, native, js] = CONTESTANTS.map((name) => touched.get(name))
        return [
          sizeOf({ size, vary, out }),
          ...[alloc, native, js].map(({ ns }) => showNs(ns)),
          times(alloc.ns / native.ns),
          times(js.ns / native.ns),
          ...['native', 'js'].map((name) => showNs(plain.get(name).ns)),
          ...[alloc, native, js].map(({ gcMs }) => `${gcMs < 10 ? gcMs.toFixed(1) : Math.round(gcMs)} ms`),
          `${Math.round(native.direct * 1e6)}`,
          `${(native.hitRate * 100).toFixed(2)} %`,
        ]
      }),
    ],
    records: rows.flatMap(recordsOf),
    claims: [
      atMost('sizes of a class', 'class', CLASS_GOAL),
      atMost('other sizes', 'other', ODD_GOAL),
      atMost('sizes that change', 'changing', ODD_GOAL),
      { what: 'hit rate above 95 %', actual: `${(hits * 100).toFixed(2)} %`, holds: hits > 0.95 },
      {
        what: 'no size is slower than allocUnsafe',
        actual: times(
          Math.min(...rows.map(({ touched }) => touched.get('allocUnsafe').ns / touched.get('native').ns)),
        ),
        holds: rows.every(({ touched }) => touched.get('allocUnsafe').ns > touched.get('native').ns),
      },
    ],
  }
}

const sizeOf = ({ size, vary, out }) =>
  `${vary ? 'up to ' : ''}${size % KiB === 0 ? `${size / KiB} KiB` : `${size.toLocaleString('en-US')} B`}, ${out}`

function recordsOf({ touched, plain, ...row }) {
  const all = (of) => Object.fromEntries([...of].map(([name, { all: samples }]) => [name, samples]))
  return [
    record({
      id: `buffers/${sizeOf(row)}`,
      what: `a Buffer for a moment, one byte of each page written, ${sizeOf(row)} out`,
      unit: 'ns',
      better: 'less',
      samples: all(touched),
      ratios: [{ of: ['native', 'allocUnsafe'] }, { of: ['native', 'js'] }],
    }),
    record({
      id: `buffers/get + put, ${sizeOf(row)}`,
      what: `pool get + put, ${sizeOf(row)} out`,
      unit: 'ns',
      better: 'less',
      samples: all(plain),
      ratios: [{ of: ['native', 'js'] }],
    }),
  ]
}

const times = (value) => `${value.toFixed(1)} ×`
const showNs = (ns) => (ns < 1000 ? `${ns.toFixed(1)} ns` : `${(ns / 1000).toFixed(2)} µs`)
