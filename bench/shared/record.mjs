/*
 * What a bench found out, in one shape for all of them: a figure of several contestants that took turns in one run. What compares, draws or
 * keeps figures knows this shape and no bench.
 */
import { median, percentile } from './statistics.mjs'

/**
 * @typedef {object} FigureRecord
 * @property {string} id of the bench and the figure: `memory/get`
 * @property {string} what in words
 * @property {string} unit
 * @property {'less' | 'more'} better
 * @property {Readonly<Record<string, readonly number[]>>} samples by contestant, one for each round: those of one round have the same place
 * @property {ReadonlyArray<Ratio>} ratios
 */

/**
 * How many times as good the first contestant is as the second, and what is wanted.
 *
 * @typedef {{ of: readonly [string, string], goal?: number }} Ratio
 */

/**
 * A record, if it is one.
 *
 * @param {Omit<FigureRecord, 'ratios'> & { ratios?: FigureRecord['ratios'] }} given contestants without samples are left out, and ratios with them
 * @returns {FigureRecord}
 */
export function record({ id, what, unit, better, samples, ratios = [] }) {
  const measured = Object.entries(samples).filter(([, values]) => values?.length > 0)
  if (measured.length === 0) throw new RangeError(`record ${id}: nobody was measured`)
  for (const [name, values] of measured) {
    if (!values.every(Number.isFinite)) throw new RangeError(`record ${id}: ${name} has ${values.join(', ')}`)
  }
  const names = new Set(measured.map(([name]) => name))
  return {
    id,
    what,
    unit,
    better,
    samples: Object.fromEntries(measured),
    ratios: ratios.filter(({ of }) => of.every((name) => names.has(name))),
  }
}

/** The median of a contestant's rounds. */
export const medianOf = ({ samples }, name) => median(samples[name])

/**
 * How many times as good one is as the other: the median over the rounds, so that a neighbour who was there for one round counts for one, and
 * where the middle half of them lies.
 *
 * @param {FigureRecord} record
 * @param {readonly [string, string]} pair
 * @returns {{ value: number, low: number, high: number, rounds: number }}
 */
export function ratioOf({ samples, better }, [first, second]) {
  const [a, b] = [samples[first], samples[second]]
  const rounds = Math.min(a.length, b.length)
  const each = Array.from({ length: rounds }, (_, at) => (better === 'less' ? b[at] / a[at] : a[at] / b[at]))
  return { value: median(each), low: percentile(each, 0.25), high: percentile(each, 0.75), rounds }
}
