import { GC_KINDS } from '../runtime.js'
import type { ThreadMetric } from './metric.js'

/** What the thread does beside its work. */
export const THREAD: readonly ThreadMetric[] = [
  {
    name: 'gc_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    labels: ['kind'],
    help: 'Garbage collections of the thread, by kind.',
    read: ({ gc }) => GC_KINDS.map((kind) => ({ labels: [kind], value: gc[kind] })),
  },
  {
    name: 'event_loop_delay_seconds',
    kind: 'histogram',
    unit: 'seconds',
    labels: [],
    help: 'How late the event loop of the thread was, each time that it was looked at.',
    read: ({ loopDelay }) => [{ labels: [], value: loopDelay }],
  },
]
