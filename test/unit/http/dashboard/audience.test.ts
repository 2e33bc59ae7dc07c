import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import {
  Audience,
  EVERY_MS,
  eventOf,
  MOST_MISSED,
  MOST_VIEWERS,
} from '../../../../lib/http/dashboard/audience.js'
import { FakeClock } from '../../../helpers/clock.js'

/** A response of which a test says whether it is read. */
class Reader extends EventEmitter {
  readonly got: string[] = []
  isReading = true
  ended: 'ended' | 'destroyed' | undefined

  writeHead(): this {
    return this
  }

  write(text: string): boolean {
    this.got.push(text)
    return this.isReading
  }

  end(): void {
    this.ended = 'ended'
    this.emit('close')
  }

  destroy(): void {
    this.ended = 'destroyed'
    this.emit('close')
  }
}

interface Hall {
  readonly audience: Audience
  readonly clock: FakeClock
  readonly begun: () => number
  join(isReading?: boolean): Reader
}

function hall(): Hall {
  const clock = new FakeClock()
  let [begun, ticks] = [0, 0]
  const audience = new Audience(clock, {
    begin: () => {
      begun += 1
    },
    first: () => 'first',
    tick: () => {
      ticks += 1
      return `tick ${ticks}`
    },
  })
  return {
    audience,
    clock,
    begun: () => begun,
    join(isReading = true) {
      const reader = new Reader()
      reader.isReading = isReading
      audience.add(reader as unknown as ServerResponse, {})
      return reader
    },
  }
}

describe('those who look on', () => {
  test('are given the whole first, then each second what is new, by one timer for all', () => {
    const { join, clock, begun } = hall()
    const [a, b] = [join(), join()]
    expect([begun(), clock.pending]).toEqual([1, 1])
    clock.advance(2 * EVERY_MS)
    for (const { got } of [a, b]) expect(got).toEqual(['retry: 1000\n\nfirst', 'tick 1', 'tick 2'])
  })

  test('cost nothing once they have left, and begin anew when one comes back', () => {
    const { audience, join, clock, begun } = hall()
    const [a, b] = [join(), join()]
    a.emit('close')
    expect([audience.size, clock.pending]).toEqual([1, 1])
    b.emit('close')
    expect([audience.size, clock.pending]).toEqual([0, 0])
    join()
    expect([begun(), clock.pending]).toEqual([2, 1])
  })

  test('are given nothing more while they do not read, and the whole again when they do', () => {
    const { join, clock } = hall()
    const slow = join(false)
    clock.advance(5 * EVERY_MS)
    expect(slow.got).toHaveLength(1)
    slow.isReading = true
    slow.emit('drain')
    expect(slow.got.at(-1)).toBe('first')
    clock.advance(EVERY_MS)
    expect(slow.got).toHaveLength(3)
    // It missed nothing.
    slow.emit('drain')
    expect(slow.got).toHaveLength(3)
  })

  test('are dropped when they do not read at all', () => {
    const { audience, join, clock } = hall()
    const [stuck, other] = [join(false), join()]
    clock.advance(MOST_MISSED * EVERY_MS)
    expect(stuck.ended).toBeUndefined()
    clock.advance(EVERY_MS)
    expect([stuck.ended, other.ended, audience.size]).toEqual(['destroyed', undefined, 1])
  })

  test('are not more than there is room for', () => {
    const { audience, join } = hall()
    const all = Array.from({ length: MOST_VIEWERS }, () => join())
    expect(audience.hasRoom).toBe(false)
    all[0]!.emit('close')
    expect(audience.hasRoom).toBe(true)
  })

  test('are told of the end, and who does not read does not keep it from coming', () => {
    const { audience, join, clock } = hall()
    const [stuck, other] = [join(false), join()]
    audience.close()
    expect([stuck.ended, other.ended, clock.pending, audience.size]).toEqual(['destroyed', 'ended', 0, 0])
    expect(audience.hasRoom).toBe(false)
  })
})

test('an event is one line of data, whatever is in it', () => {
  const text = eventOf('tick', { key: 'a\nevent: b\r\ndata: \u2028' })
  expect(text.split('\n').filter((line) => line.startsWith('data: '))).toHaveLength(1)
  expect(text.endsWith('\n\n')).toBe(true)
})
