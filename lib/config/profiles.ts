import { ConfigError } from '../errors.js'
import { memoryThereIs } from './memory.js'
import { withAt } from './merge.js'
import { PROFILE_NAMES, type ProfileName } from './profile-names.js'
import { parseSize, type Size, showSize } from './units.js'
import { showValue } from './validate.js'

/*
 * Profiles: other defaults, for other circumstances. Whatever option is given says more than any of them.
 */

/** A part of the memory there is, within bounds. */
export interface Share {
  readonly share: number
  readonly atMost: Size
}

/** One option that a profile sets. */
export interface Setting {
  /** Of `createCache`; below `memory` and `file`: of tiers that are given as data, and of the one that there is by default. */
  readonly path: string
  readonly value: Share | string | number | boolean
  readonly why: string
}

export interface Profile {
  readonly about: string
  readonly settings: readonly Setting[]
}

/** Fewer bytes are no bound of memory. */
const LEAST_SHARE = 2 ** 20

const set = (path: string, value: Setting['value'], why: string): Setting => ({ path, value, why })

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  development: {
    about:
      'A machine that does much else, a program that is restarted all day, and a debugger that stops it.',
    settings: [
      set('memory.maxBytes', { share: 1 / 8, atMost: '128MiB' }, 'the memory is for the tools beside it'),
      set('freshness.negativeTtl', '1s', 'what was missing is found as soon as it was added'),
      set('timeouts.operation', '10s', 'a breakpoint is no failure of a tier'),
      set('timeouts.firstByte', '5m', 'a breakpoint in a fetcher is no failure of the origin'),
      set('timeouts.fill', '1h', 'the same, in the middle of a body'),
      set('timeouts.shutdown', '1s', 'the next start does not wait for bodies that nobody wants'),
      set('metrics.sampling', 1, 'there are few calls, and each is to be seen'),
      set('breaker.openForAtMost', '2s', 'an origin that was started again is asked again soon'),
      set('bufferPool.maxBytes', { share: 1 / 64, atMost: '16MiB' }, 'few requests at a time'),
      set('bufferPool.detectLeaks', true, 'a Buffer that was lost is reported with the place that got it'),
    ],
  },
  production: {
    about:
      'A server that shares its machine or container with nothing large. Every default was chosen for it.',
    settings: [],
  },
  test: {
    about:
      'Many caches in one process, made and closed all the time. It changes how much is held and how long a close may take, and nothing of what a call answers.',
    settings: [
      set('memory.maxBytes', { share: 1 / 16, atMost: '64MiB' }, 'runners have many processes side by side'),
      set('timeouts.shutdown', '1s', 'a body that a test forgot does not hold up the next'),
      set('bufferPool.maxBytes', { share: 1 / 64, atMost: '16MiB' }, 'few requests at a time'),
      set('bufferPool.detectLeaks', true, 'a Buffer that was lost is reported with the place that got it'),
      set('file.minFree', 0, 'a disk of a build machine that is nearly full changes no result'),
    ],
  },
  'high-throughput': {
    about: 'A machine that is there for the cache: memory, disk and processors are to be used.',
    settings: [
      set('memory.maxBytes', { share: 1 / 2, atMost: '16GiB' }, 'each hit in memory is one less on the disk'),
      set('memory.policy', 's3-fifo', 'a hit sets a mark and moves nothing'),
      set('promotion', 'second-hit', 'what is read once from the disk displaces nothing that is hot'),
      set('freshness.jitter', 0.1, 'what was stored together does not expire together'),
      set('background.concurrency', 16, 'a disk of today has more in flight than 4'),
      set('background.queue', 10_000, 'a burst is written out later, and not dropped'),
      set(
        'maxBufferedBytes',
        { share: 1 / 64, atMost: '32MiB' },
        'an origin may be faster than the disk for longer',
      ),
      set('bufferPool.maxBytes', { share: 1 / 16, atMost: '256MiB' }, 'thousands of bodies at a time'),
      set('bufferPool.maxConcurrentLargeOps', 32, 'large bodies do not wait for each other'),
      set('bufferPool.maxIdle', '10m', 'memory that a peak needed is there for the next'),
      set(
        'file.durability',
        'none',
        'a write is acknowledged with its place in the buffer; what a crash takes is fetched again',
      ),
      set('file.readConcurrency', 16, 'a disk of today answers many reads at once'),
      set('file.openFiles', 4096, 'files of large values are not opened again and again'),
      set('file.reclaimRate', '128MiB', 'room is made as fast as it is needed'),
    ],
  },
  'low-memory': {
    about: 'A small container, or a program to which the cache is an extra.',
    settings: [
      set('memory.maxBytes', { share: 1 / 16, atMost: '32MiB' }, "the rest is the program's"),
      set('background.concurrency', 2, 'each has pieces of a value in memory'),
      set('background.queue', 100, 'what waits holds its place in memory'),
      set('maxBufferedBytes', '1MiB', 'a body waits for the disk, not in memory'),
      set('bufferPool.maxBytes', { share: 1 / 128, atMost: '4MiB' }, 'Buffers for a few bodies at a time'),
      set('bufferPool.maxIdle', '5s', 'memory goes back to the system at once'),
      set('file.maxIndexBytes', '8MiB', 'that is an index of 170,000 entries'),
      set('file.openFiles', 64, 'each has its table of chunks in memory'),
      set('file.readConcurrency', 2, 'each has chunks in memory'),
    ],
  },
}

/** What a profile puts under the options that are given. */
export interface ProfileOptions {
  readonly cache: Readonly<Record<string, unknown>>
  readonly memory: Readonly<Record<string, unknown>>
  readonly file: Readonly<Record<string, unknown>>
}

/** @throws `ERR_DREY_CONFIG` when `DREY_PROFILE` is none and counts */
export function profileNamed(
  given: unknown,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ProfileName {
  const named = PROFILE_NAMES.find((name) => name === given)
  // What is no profile is complained of with the other options.
  if (named !== undefined || given !== undefined) return named ?? 'production'
  const { DREY_PROFILE: asked, NODE_ENV: environment } = env
  if (asked !== undefined && asked !== '') {
    const name = PROFILE_NAMES.find((one) => one === asked)
    if (name !== undefined) return name
    const known = PROFILE_NAMES.map((one) => showValue(one)).join(', ')
    throw new ConfigError(`DREY_PROFILE: got ${showValue(asked)}; want one of ${known}`)
  }
  return BY_ENVIRONMENT.find((name) => name === environment) ?? 'production'
}

const BY_ENVIRONMENT = ['development', 'production', 'test'] as const

/** What the profile of that name sets, with `thereIs` bytes of memory. */
export function optionsOfProfile(name: ProfileName, thereIs = memoryThereIs()): ProfileOptions {
  let options: unknown = { cache: {}, memory: {}, file: {} }
  for (const { path, value } of PROFILES[name].settings) {
    const own = /^(memory|file)\./.test(path)
    options = withAt(options, own ? path : `cache.${path}`, isShare(value) ? bytesOf(value, thereIs) : value)
  }
  return options as ProfileOptions
}

export function isShare(value: Setting['value']): value is Share {
  return typeof value === 'object'
}

function bytesOf({ share, atMost }: Share, thereIs: number): number {
  return Math.max(LEAST_SHARE, Math.min(parseSize(atMost)!, Math.floor(thereIs * share)))
}

/** A value of a setting for people. */
export function showSetting(value: Setting['value']): string {
  if (!isShare(value)) return typeof value === 'string' ? `\`'${value}'\`` : `\`${value}\``
  return `1/${1 / value.share} of the memory there is, at most ${showSize(parseSize(value.atMost)!)}`
}
