/*
 * What an entry of the js memory engine costs, and whether the store knows it: resident memory of a fresh process
 * for each kind of entry, beside what the store accounts for.
 */
import { native } from '../../../dist/native/loader.js'
import { startChild } from '../../shared/child.mjs'

const CHILD = new URL('../children/memory-overhead.mjs', import.meta.url)
// Just over 2^19: the Map has grown and is at its emptiest. Fewer, and what the heap grows by once weighs too much.
const ENTRIES = 540_000
const MOST_BYTES = 1.5 * 2 ** 30

const plain = {
  size: 1000,
  declared: true,
  keyLength: 16,
  etag: false,
  user: undefined,
  viewed: false,
  churn: 0,
  hosted: false,
}
const ROWS = {
  'empty (a negative entry)': { size: 0 },
  'empty, keys come and go': { size: 0, churn: 2 },
  '64 B': { size: 64 },
  '64 B, sent to a socket once': { size: 64, viewed: true },
  '100 B': { size: 100 },
  '100 B, key of 200': { size: 100, keyLength: 200 },
  '100 B, etag': { size: 100, etag: true },
  '100 B, etag, user { type }': { size: 100, etag: true, user: 'type' },
  '100 B, etag, user with ten header texts': { size: 100, etag: true, user: 'head' },
  '100 B, user of 100 empty objects': { size: 100, user: 'empty objects' },
  '1000 B': {},
  '1000 B, size not declared': { declared: false },
  '1024 B': { size: 1024 },
  '4096 B': { size: 4096 },
  '70,000 B': { size: 70_000 },
}
/** What lies on the JS heap of entries of the native engine, for a policy of the user's own. */
const HOSTED_ROWS = {
  'native, own policy': { size: 0, hosted: true },
  'native, own policy, keys come and go': { size: 0, hosted: true, churn: 2 },
  'native, own policy, key of 200': { size: 0, hosted: true, keyLength: 200 },
}

export async function suite({ quick }) {
  const table = [
    [
      'value',
      'entries',
      'resident',
      'of it in use',
      'accounted',
      'beside key and value',
      'accounted ÷ resident',
    ],
  ]
  let least = Number.POSITIVE_INFINITY
  const rows = native() === undefined ? ROWS : { ...ROWS, ...HOSTED_ROWS }
  for (const [name, row] of Object.entries(rows)) {
    const spec = { ...plain, ...row }
    const perEntry = spec.size + (spec.user === 'empty objects' ? 8000 : 1000)
    const entries = Math.floor(Math.min(quick ? ENTRIES / 2 : ENTRIES, MOST_BYTES / perEntry))
    const { resident, used, accounted } = await measure({ ...spec, entries })
    // Fresh pages may still be untouched, and garbage may still be resident; what is in use is the least there is.
    const onlyUsed = spec.churn > 0 || spec.hosted
    const real = onlyUsed ? used : Math.max(resident, used)
    least = Math.min(least, accounted / real)
    table.push([
      name,
      entries.toLocaleString('en-US'),
      onlyUsed ? '' : bytes(resident),
      bytes(used),
      bytes(accounted),
      bytes(real - spec.size - spec.keyLength),
      (accounted / real).toFixed(2),
    ])
  }
  return {
    notes: ['bytes for each entry, in a process of its own, after garbage collection'],
    table,
    claims: [
      {
        what: 'what is accounted for is at least what is resident, within 2 %',
        actual: `the least is ${least.toFixed(2)}`,
        holds: least >= 0.98,
      },
    ],
  }
}

const bytes = (value) => Math.round(value).toLocaleString('en-US')

async function measure(spec) {
  const child = startChild(CHILD, { flags: ['--expose-gc', '--max-old-space-size=8192'] })
  const measured = child.receive('measured')
  child.send({ type: 'measure', ...spec })
  const result = await measured
  await child.exited
  return result
}
