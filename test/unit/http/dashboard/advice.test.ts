import { expect, test } from 'vitest'
import { LatestAdvice } from '../../../../lib/http/dashboard/advice.js'
import type { Advice } from '../../../../lib/metrics/advice/advice.js'
import { FakeClock } from '../../../helpers/clock.js'
import { turns } from '../../../helpers/gate.js'

const ADVICE = JSON.parse(`{
  "at": 1, "requests": 9, "recommendations": [{
    "id": "memory", "level": "advice", "tier": "memory", "message": "More.", "evidence": {},
    "change": { "option": "tiers.memory.maxBytes", "from": "1MiB", "to": 4, "live": true },
    "gain": { "figure": "hit ratio", "now": 0.41, "then": 0.7234 }
  }]
}`) as Advice

test('advice is looked for when somebody looks on, seldom, and its failure is said', async () => {
  const clock = new FakeClock()
  let asked = 0
  const advice = (): Promise<Advice> => {
    asked += 1
    return asked === 2 ? Promise.reject(new Error('no sample yet')) : Promise.resolve(ADVICE)
  }
  const latest = new LatestAdvice({ advice }, clock)
  expect([asked, latest.current().reason, asked]).toEqual([0, 'looked for now', 1])
  await turns()
  const found = {
    at: 1,
    requests: 9,
    recommendations: [
      {
        ...{ id: 'memory', level: 'advice', tier: 'memory', message: 'More.' },
        change: 'tiers.memory.maxBytes: 1MiB → 4, while it runs',
        gain: 'hit ratio 0.41 → 0.723',
      },
    ],
    reason: null,
  }
  expect(latest.current()).toEqual(found)
  clock.advance(299_999)
  latest.current()
  expect(asked).toBe(1)
  clock.advance(1)
  latest.current()
  latest.current()
  await turns()
  // What was found before is still shown.
  expect(latest.current()).toEqual({ ...found, reason: 'it could not be found: no sample yet' })
  expect(asked).toBe(2)
})
