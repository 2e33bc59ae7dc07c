/*
 * How many requests each policy answers: `DREY_TRACES=… npm run bench:hits -- [TRACE …] [--quick] [--json FILE]`
 *
 * Plays the traces to every policy at several sizes of cache, in TypeScript and, where `make -C test/native
 * trace` has built the program, in C++ as well; exits with 1 if the two do not decide alike. Prints a table
 * for each trace, and puts a picture of it into bench/results/. Runs against dist/, which is what users run:
 * build first.
 *
 *   --quick    every other size, the first 300,000 requests of a trace, shorter measurements
 *   --json     a file for what was found, for machines
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine, showMachine } from '../shared/machine.mjs'
import { record } from '../shared/record.mjs'
import { digits, layOut, showBytes, showCount } from '../shared/table.mjs'
import { loadTrace, TRACES, tracesFolder } from './traces.mjs'

const results = new URL('../results/', import.meta.url)

function usage(problem) {
  const names = TRACES.map(({ name }) => name).join('|')
  console.error(
    `bench: ${problem}\nusage: DREY_TRACES=FOLDER npm run bench:hits -- [${names} …] [--quick] [--json FILE]`,
  )
  process.exit(2)
}

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
    })
    const unknown = positionals.filter((name) => TRACES.every((trace) => trace.name !== name))
    if (unknown.length > 0) return usage(`there is no trace ${unknown.join(', ')}`)
    if (!existsSync(new URL('../../dist/policy/create.js', import.meta.url)))
      return usage('there is no dist/policy: run npm run build:ts')
    const traces = TRACES.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
    return { quick: values.quick, json: values.json, traces, folder: tracesFolder() }
  } catch (error) {
    return usage(error.message)
  }
}

const { quick, json, traces, folder } = parse()
// Only now: they need dist/.
const { POLICY_NAMES } = await import('../../dist/policy/policy.js')
const { play, playBelady } = await import('./simulate.mjs')
const { hasNative, playNative } = await import('./native.mjs')
const { measureCost } = await import('./cost.mjs')
const { draw } = await import('./picture.mjs')

const native = hasNative()
console.log(showMachine(describeMachine()))
if (!native) console.log('C++: not measured, make -C test/native trace builds what it takes')
mkdirSync(results, { recursive: true })

const records = []
let compared = 0
const different = []
/** How many of LRU's misses each policy avoids, in percent, by trace: the mean over the sizes. */
const avoided = new Map()
/** The same of the bytes that were missed, of the traces that have sizes. */
const avoidedBytes = new Map()

const meanOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

function playAll({ name, sizes: all }) {
  const sizes = quick ? all.filter((_, at) => at % 2 === 0) : all
  const trace = loadTrace(folder, name, quick ? 300_000 : Number.POSITIVE_INFINITY)
  const capacities = sizes.map(({ bytes }) => bytes)
  const inNative = native
    ? playNative(trace.sizes === undefined ? 'ids' : 'sized', trace.words, POLICY_NAMES, capacities)
    : new Map()
  const lines = POLICY_NAMES.map((policy) => ({
    policy,
    js: capacities.map((capacity) => play(trace, policy, capacity)),
    native: capacities.map((capacity) => inNative.get(`${policy} ${capacity}`)),
  }))
  for (const line of lines) {
    for (const [at, one] of line.js.entries()) {
      const other = line.native[at]
      if (other === undefined) continue
      compared += 1
      if (one.misses !== other.misses || one.victims !== other.victims)
        different.push(`${line.policy} on ${name} at ${sizes[at].label}`)
    }
  }
  return { trace, sizes, capacities, lines }
}

for (const entry of traces) {
  const { trace, sizes, capacities, lines } = playAll(entry)
  const requests = trace.ids.length
  const percent = (misses) => 100 * (1 - misses / requests)
  const limit =
    trace.sizes === undefined ? capacities.map((capacity) => playBelady(trace, capacity)) : undefined
  const middle = Math.floor(sizes.length / 2)
  const rows = lines.map(({ policy, js, native: inNative }) => [
    policy,
    ...js.map(({ misses }) => percent(misses).toFixed(2)),
    digits(js[middle].ns),
    inNative[middle] === undefined ? '-' : digits(inNative[middle].ns),
    showBytes(inNative[middle]?.memory ?? js[middle].memory),
  ])
  if (limit !== undefined)
    rows.push(['limit', ...limit.map((misses) => percent(misses).toFixed(2)), '', '', ''])
  console.log(
    `\n${entry.name}: ${entry.what}; ${showCount(requests)} requests. Hits in percent; at ${sizes[middle].label}, ` +
      'ns a request and memory beside the entries',
  )
  console.log(layOut(['', ...sizes.map(({ label }) => label), 'ns js', 'ns C++', 'memory'], rows))
  if (trace.sizes !== undefined) {
    const asked = trace.sizes.reduce((sum, size) => sum + size, 0)
    console.log('\nThe same, hits in percent of the bytes asked for')
    console.log(
      layOut(
        ['', ...sizes.map(({ label }) => label)],
        lines.map(({ policy, js }) => [
          policy,
          ...js.map(({ missedBytes }) => (100 * (1 - missedBytes / asked)).toFixed(2)),
        ]),
      ),
    )
  }

  const lru = lines.find(({ policy }) => policy === 'lru').js
  for (const { policy, js } of lines) {
    const mean = (of) => meanOf(js.map((one, at) => 100 * (1 - of(one) / of(lru[at]))))
    avoided.set(policy, [...(avoided.get(policy) ?? []), mean(({ misses }) => misses)])
    if (trace.sizes === undefined) continue
    avoidedBytes.set(policy, [...(avoidedBytes.get(policy) ?? []), mean(({ missedBytes }) => missedBytes)])
  }
  for (const [at, { label }] of sizes.entries()) {
    records.push(
      record({
        id: `hits/${entry.name}/${label}`,
        what: `hit ratio of ${entry.name} at ${label}`,
        unit: '%',
        better: 'more',
        samples: Object.fromEntries(lines.map(({ policy, js }) => [policy, [percent(js[at].misses)]])),
      }),
    )
  }
  const picture = draw({
    title: `${entry.name}: ${entry.what}`,
    unit: trace.sizes === undefined ? 'entries' : 'bytes',
    sizes,
    lines: [
      ...lines.map(({ policy, js }) => ({ name: policy, hits: js.map(({ misses }) => percent(misses)) })),
      ...(limit === undefined ? [] : [{ name: 'limit', hits: limit.map(percent) }]),
    ],
  })
  writeFileSync(new URL(`hits-${entry.name}.svg`, results), picture)
}

/** A table of `shares`, by policy, one for each of `named`. */
function showAvoided(named, shares) {
  console.log(
    layOut(
      ['', ...named.map(({ name }) => name.replace('.sized', '')), 'mean', 'least'],
      [...shares].map(([policy, each]) => [
        policy,
        ...each.map((share) => share.toFixed(1)),
        meanOf(each).toFixed(1),
        Math.min(...each).toFixed(1),
      ]),
    ),
  )
}

console.log("\nLRU's misses that a policy avoids, in percent, the mean over the sizes of each trace")
showAvoided(traces, avoided)
const sized = traces.filter(({ name }) => name.endsWith('.sized'))
if (sized.length > 0) {
  console.log('\nThe same of the bytes that LRU misses')
  showAvoided(sized, avoidedBytes)
}

console.log(
  '\nThe calls alone, 100,000 entries, hits by Zipf: ns for a hit, and for an eviction with an addition',
)
const languages = native ? ['js', 'native'] : ['js']
console.log(
  layOut(
    [
      '',
      ...languages.flatMap((language) =>
        language === 'js' ? ['hit js', 'evict js'] : ['hit C++', 'evict C++'],
      ),
    ],
    POLICY_NAMES.map((policy) => [
      policy,
      ...languages.flatMap((language) => {
        const { hit, replacement } = measureCost(language, policy, { quick })
        return [digits(hit), digits(replacement)]
      }),
    ]),
  ),
)

if (json !== undefined) {
  const holds = different.length === 0
  const actual = `${compared - different.length} of ${compared} runs`
  const claims = native ? [{ what: 'C++ and TypeScript decide alike', actual, holds }] : []
  writeFileSync(json, JSON.stringify({ claims, records }))
}
console.log(`\npictures: bench/results/hits-*.svg`)
if (native)
  console.log(`C++ and TypeScript decide alike in ${compared - different.length} of ${compared} runs`)
if (different.length > 0) {
  console.error(`different: ${different.join('; ')}`)
  process.exitCode = 1
}
