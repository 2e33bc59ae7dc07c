import { expect, it } from 'vitest'
import { memoryStore } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { until } from '../../helpers/gate.js'
import { found, rigOverTiers, settled } from '../../helpers/rig.js'

const MiB = 2 ** 20

/*
 * A draft that is not committed is aborted, whoever keeps it from it: found by the model of tiers, about once in 6,000 races. That no
 * draft is left open is seen after each test, by the rig.
 */

const tiers = () =>
  rigOverTiers(
    memoryStore({ maxBytes: MiB, maxItemBytes: 100_000 }),
    new DistantStore({ maxBytes: 8 * MiB, maxItemBytes: MiB }),
    { writePolicy: 'through' },
  )

it('a body that goes to a tier which may not be changed any more leaves no draft there', async () => {
  const made = await tiers()
  const { cache, below } = made
  const committing = below.hold('commit')
  const set = cache.set('x', patterned(120_000))
  await until(() => below.calls.includes('commit'), 'the value is being committed')
  // Waits for that commit, so that the body's draft, which is no older than the clear, is begun before the tier is cleared.
  const cleared = expect(cache.clear()).rejects.toThrow('injected: clear')
  below.fail('clear')
  const writing = below.hold('write')
  const body = patterned(120_000)
  const answer = found(await cache.fetch('k', () => ({ body, size: body.length })))
  await until(() => below.calls.filter((call) => call === 'write').length === 2, 'the body is being written')
  committing.open()
  await set
  // The tier is neither read nor written from here on: it could not be emptied.
  await cleared
  writing.open()
  expect((await answer.bytes()).equals(body)).toBe(true)
  await settled(made)
  expect(answer.stored).toBe('no-room')
  expect(below.openDrafts).toBe(0)
})

it('a body whose commit fails leaves no draft', async () => {
  const made = await tiers()
  made.below.fail('commit')
  const body = patterned(120_000)
  const answer = found(await made.cache.fetch('k', () => ({ body, size: body.length })))
  expect((await answer.bytes()).equals(body)).toBe(true)
  await settled(made)
  expect(answer.stored).toBe('tier-down')
  expect(made.below.openDrafts).toBe(0)
})

it('a value that is set in a tier which cannot be emptied is refused, and leaves no draft', async () => {
  const { cache, below } = await tiers()
  below.fail('clear')
  await expect(cache.clear()).rejects.toThrow('injected: clear')
  await expect(cache.set('k', patterned(120_000))).rejects.toMatchObject({ code: 'ERR_DREY_NO_SPACE' })
  expect(below.openDrafts).toBe(0)
})
