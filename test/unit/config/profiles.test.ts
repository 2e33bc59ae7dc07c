import { describe, expect, test } from 'vitest'
import { checkCacheOptions } from '../../../lib/cache/options.js'
import { at } from '../../../lib/config/merge.js'
import { PROFILE_NAMES } from '../../../lib/config/profile-names.js'
import { optionsOfProfile, PROFILES, profileNamed } from '../../../lib/config/profiles.js'
import { parseSize } from '../../../lib/config/units.js'
import { ConfigError } from '../../../lib/errors.js'

const MiB = 2 ** 20
const FILE = { store: 'file', dir: '/nowhere', maxBytes: '1GiB' } as const

/** What holds at `path` of a cache with those options, over a memory tier and a file tier. */
function inForce(path: string, options: Readonly<Record<string, unknown>>): unknown {
  const { given } = checkCacheOptions({ tiers: [{ store: 'memory' }, FILE], ...options })
  const [memory, file] = given.tiers as readonly object[]
  return at({ ...given, memory, file }, path)
}

describe.each(PROFILE_NAMES)('the profile %s', (profile) => {
  const { settings } = PROFILES[profile]

  test.each(settings.map(({ path }) => path))('sets %s', (path) => {
    const there = optionsOfProfile(profile)
    const expected = at({ ...there.cache, memory: there.memory, file: there.file }, path)
    expect(expected).toBeDefined()
    expect(inForce(path, { profile })).toEqual(expected)
    expect(inForce(path, { profile: 'production' })).not.toEqual(expected)
  })

  test.each([64 * MiB, 512 * MiB, 2 ** 30, 2 ** 38])('fits a machine of %d bytes', (bytes) => {
    const { cache, memory } = optionsOfProfile(profile, bytes)
    for (const size of [
      at(cache, 'bufferPool.maxBytes'),
      at(cache, 'maxBufferedBytes'),
      at(memory, 'maxBytes'),
    ]) {
      if (size === undefined) continue
      expect(parseSize(size)!).toBeGreaterThanOrEqual(MiB)
      expect(parseSize(size)!).toBeLessThanOrEqual(bytes / 2)
    }
  })
})

describe('an option that is given', () => {
  test('counts instead of what the profile sets, leaf by leaf', () => {
    const options = { profile: 'development', timeouts: { fill: '3m' } }
    expect(inForce('timeouts.fill', options)).toBe('3m')
    expect(inForce('timeouts.firstByte', options)).toBe('5m')
    const tier = { tiers: [{ store: 'memory', policy: 'lru' }, FILE], profile: 'high-throughput' }
    expect(inForce('memory.policy', tier)).toBe('lru')
    expect(inForce('memory.maxBytes', tier)).toBeGreaterThan(0)
    expect(inForce('bufferPool', { profile: 'low-memory', bufferPool: false })).toBe(false)
    expect(inForce('timeouts.fill', { profile: 'development', timeouts: undefined })).toBe('1h')
  })
})

describe('which profile holds', () => {
  test.each([
    [undefined, {}, 'production'],
    [undefined, { NODE_ENV: 'test' }, 'test'],
    [undefined, { NODE_ENV: 'development' }, 'development'],
    [undefined, { NODE_ENV: 'staging' }, 'production'],
    [undefined, { NODE_ENV: 'low-memory' }, 'production'],
    [undefined, { NODE_ENV: 'test', DREY_PROFILE: 'low-memory' }, 'low-memory'],
    [undefined, { NODE_ENV: 'test', DREY_PROFILE: '' }, 'test'],
    ['production', { NODE_ENV: 'test', DREY_PROFILE: 'low-memory' }, 'production'],
    ['production', { DREY_PROFILE: 'nonsense' }, 'production'],
  ])('%o, with %o in the environment: %s', (given, env, name) => {
    expect(profileNamed(given, env)).toBe(name)
  })

  test('one that there is not is refused with those that there are', () => {
    expect(() => profileNamed(undefined, { DREY_PROFILE: 'fast' })).toThrow(
      new ConfigError(
        'DREY_PROFILE: got "fast"; want one of "development", "production", "test", "high-throughput", "low-memory"',
      ),
    )
    expect(() => checkCacheOptions({ profile: 'fast' })).toThrow(
      /^profile: got "fast"; want one of "development"/,
    )
  })
})
