import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { Later } from '../store/store.js'
import type { Result } from './latencies.js'

/*
 * What a cache does, told by `node:diagnostics_channel`, to whoever subscribes. Where nobody does, nothing is made and nothing is called.
 *
 * `tracing:drey:fetch:*`, and the same of `get`, `set` and `delete`, are the channels of a `tracingChannel('drey:fetch')`: `start` before anything
 * is done, `end` when the call returns its promise, `asyncStart` and `asyncEnd` when that is settled, `error` when it rejects. `getSync` has `start`, `end` and
 * `error`. `drey:fill` tells of each call of an origin when it is over.
 *
 * A subscriber is called where nothing is half done: it may call the cache. One that throws changes nothing for the caller, nor for other subscribers:
 * Node throws its error in a turn of its own, as an uncaught exception of the process, for every channel that there is.
 */

/** What is told of a call. One object for all messages of it: what is not known yet is undefined. */
export interface CallMessage {
  readonly operation: string
  readonly key: string
  /** What came of it. */
  outcome?: Result | undefined
  /** The tier that answered. */
  tier?: string | undefined
  /** Bytes of the value, where they are known. */
  size?: number | undefined
  /** Milliseconds until it was answered. */
  duration?: number | undefined
  error?: unknown
}

/** What is told of a call of an origin that is over. */
export interface FillMessage {
  readonly key: string
  /** Milliseconds. */
  readonly duration: number
  /** Bytes that came; undefined when there was no body. */
  readonly bytes: number | undefined
  /** The tier that keeps the value, or why none does; undefined when there is no value. */
  readonly stored: string | undefined
  readonly error: Error | undefined
}

type CallChannel = ReturnType<typeof tracingChannel<unknown, CallMessage>>

/** Calls that are told of. */
export const CHANNELS = {
  fetch: tracingChannel<unknown, CallMessage>('drey:fetch'),
  get: tracingChannel<unknown, CallMessage>('drey:get'),
  getSync: tracingChannel<unknown, CallMessage>('drey:getSync'),
  set: tracingChannel<unknown, CallMessage>('drey:set'),
  delete: tracingChannel<unknown, CallMessage>('drey:delete'),
} as const satisfies Record<string, CallChannel>

const fills = channel('drey:fill')

/** Whether anybody wants to be told of calls of this kind. */
export function isTraced({ start, end, asyncStart, asyncEnd, error }: CallChannel): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

const { start: syncStart, end: syncEnd, error: syncError } = CHANNELS.getSync

/** As `isTraced`, of the call that costs least and must not cost more for this. */
export function isGetSyncTraced(): boolean {
  return syncStart.hasSubscribers || syncEnd.hasSubscribers || syncError.hasSubscribers
}

/** Runs `call`, and tells of it. `describe` completes the message when it is answered. */
export function traced<T>(
  channels: CallChannel,
  message: CallMessage,
  call: () => Promise<T>,
  describe: (answer: T) => void,
): Promise<T> {
  const run = (): Promise<T> => {
    const answer = call().then(
      (value) => {
        describe(value)
        channels.asyncStart.publish(message)
        channels.asyncEnd.publish(message)
        return value
      },
      (error) => {
        message.error = error
        message.outcome = 'error'
        channels.error.publish(message)
        channels.asyncStart.publish(message)
        channels.asyncEnd.publish(message)
        throw error
      },
    )
    channels.end.publish(message)
    return answer
  }
  return channels.start.runStores(message, run)
}

/** As `traced`, of a call that answers at once. */
export function tracedSync<T>(
  channels: CallChannel,
  message: CallMessage,
  call: () => T,
  describe: (answer: T) => void,
): T {
  return channels.start.runStores(message, () => {
    try {
      const answer = call()
      describe(answer)
      return answer
    } catch (error) {
      message.error = error
      message.outcome = 'error'
      channels.error.publish(message)
      throw error
    } finally {
      channels.end.publish(message)
    }
  })
}

/** Whether anybody wants to be told of fills. */
export function fillsAreTold(): boolean {
  return fills.hasSubscribers
}

/** Tells of a fill that is over, when what is under way now is done: who listens may call the cache. */
export function tellFill(message: FillMessage): void {
  queueMicrotask(() => fills.publish(message))
}

/** The result of `call` as a promise, whether it throws, rejects or answers at once. */
export function promiseOf<T>(call: () => Later<T>): Promise<T> {
  try {
    return Promise.resolve(call())
  } catch (error) {
    return Promise.reject(error)
  }
}
