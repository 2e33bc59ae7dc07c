import { ClosedError } from '../../errors.js'

/** Work in pieces, each of which takes a millisecond or less: between two of them the event loop may turn. */
export type Slices<T> = Generator<undefined, T, undefined>

/** Does all of it, a piece in each turn of the event loop. @throws `ERR_DREY_CLOSED` between two pieces, once `isClosed` */
export async function inTurns<T>(work: Slices<T>, isClosed: () => boolean): Promise<T> {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
    await new Promise((resolve) => setImmediate(resolve))
    if (isClosed()) throw new ClosedError('the cache was closed while advice was looked for')
  }
}
