import { describe, test } from 'vitest'
import { type MakeStore, runSuite, storeSuite } from '../../lib/testing/index.js'
import { capabilitiesOf } from '../../lib/testing/store/suite.js'

export type { MakeStore, StoreBounds } from '../../lib/testing/index.js'

/**
 * The suite that the package exports, with whatever the store offers. `bytes`: what its statistics count, the bytes of what lives in it, or
 * those that it has committed for that. `configure`: a patch that it takes.
 */
export function storeConformance(
  name: string,
  make: MakeStore,
  bytes: 'live' | 'committed' = 'live',
  configure?: Readonly<Record<string, unknown>>,
): void {
  describe(`${name} keeps the contract of a store`, async () => {
    runSuite(
      storeSuite(make, {
        ...(await capabilitiesOf(make)),
        bytes,
        ...(configure === undefined ? {} : { configure }),
      }),
      test,
    )
  })
}
