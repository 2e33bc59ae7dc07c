import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Linked, Recency } from '../../../lib/store/memory/recency.js'

interface Item extends Linked<Item> {
  readonly name: number
}

function forward(list: Recency<Item>): number[] {
  const names: number[] = []
  for (let item = list.oldest; item !== undefined; item = item.newer) names.push(item.name)
  return names
}

function backward(list: Recency<Item>): number[] {
  const names: number[] = []
  for (let item = list.newest; item !== undefined; item = item.older) names.unshift(item.name)
  return names
}

test('the list is an array with the newest at its end', () => {
  const step = fc.record({ what: fc.constantFrom('add', 'touch', 'touch', 'remove'), at: fc.nat(9) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new Recency<Item>()
      const items = Array.from(
        { length: 10 },
        (_, name): Item => ({ name, newer: undefined, older: undefined }),
      )
      let expected: number[] = []
      for (const { what, at } of steps) {
        const there = expected.includes(at)
        if (what === 'add' && !there) list.add(items[at]!)
        else if (what === 'touch' && there) list.touch(items[at]!)
        else if (what === 'remove' && there) list.remove(items[at]!)
        else continue
        expected = expected.filter((name) => name !== at)
        if (what !== 'remove') expected.push(at)
        expect(forward(list)).toEqual(expected)
        expect(backward(list)).toEqual(expected)
      }
    }),
  )
})
