import { native } from '../../../lib/native/loader.js'
import type { PolicyName } from '../../../lib/policy/policy.js'
import { jsMemoryStore } from '../../../lib/store/memory/js.js'
import type { MemoryStore } from '../../../lib/store/memory/memory-store.js'
import { nativeMemoryStore } from '../../../lib/store/memory/native.js'

/** Bounds and policy that a store under test is made with. */
export interface Making {
  readonly maxBytes: number
  readonly maxItemBytes: number
  readonly policy: PolicyName
}

/** Makes new stores over one new, empty memory: several only where threads share it by a name. */
export interface Engine {
  readonly name: string
  /** How many have the memory open. */
  readonly shares: number
  readonly make: (making: Making) => MemoryStore[]
}

const js: Engine = {
  name: 'the js engine',
  shares: 1,
  make: (making) => [jsMemoryStore({ ...making, maxItemFollows: false, name: undefined })],
}

let memories = 0

function natives(): Engine[] {
  const addon = native()
  if (addon === undefined) return []
  return [
    {
      name: 'the native engine',
      shares: 1,
      make: (making) => [nativeMemoryStore({ ...making, maxItemFollows: false, name: undefined }, addon)],
    },
    {
      name: 'the native engine, shared by a name',
      shares: 3,
      make: (making) => {
        // A name of its own: the memory of the run before may be there still.
        memories += 1
        const config = { ...making, maxItemFollows: false, name: `differential ${memories}` }
        return Array.from({ length: 3 }, () => nativeMemoryStore(config, addon))
      },
    },
  ]
}

/** The engines of the path that the tests run on. */
export const ENGINES: readonly Engine[] = native() === undefined ? [js] : natives()

/** One store of each engine. Only where the addon is. */
export function pair(making: Making): readonly [native: MemoryStore, js: MemoryStore] {
  const [first] = natives()
  return [first!.make(making)[0]!, js.make(making)[0]!]
}
