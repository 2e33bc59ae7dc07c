/** One thing that a thread did: from when to when, and which value it was about. */
export type Event = readonly [
  kind: 'read' | 'set' | 'fill' | 'delete',
  key: string,
  start: number,
  end: number,
  writer: number,
  sequence: number,
]

/** What is wrong with `history`; empty when each answer is the last or an overlapping write. */
export function violations(history: readonly Event[]): string[] {
  const wrong: string[] = []
  for (const [key, events] of groupBy(history, ([, of]) => of)) {
    const values = new Map<string, Event>()
    for (const event of events) {
      if (event[0] === 'set' || event[0] === 'fill') values.set(nameOf(event), event)
    }
    const newest = changesUpTo(events)
    for (const read of events) {
      if (read[0] !== 'read') continue
      const value = values.get(nameOf(read))
      // Of a set that failed, or that its thread did not live to tell of, nothing is known.
      if (value === undefined) continue
      // A set is over when it was answered; a fill is older than all that came after it began.
      const old = value[0] === 'set' ? value[3] : value[2]
      if (value[2] > read[3]) wrong.push(`${key}: ${nameOf(read)} was read before it was written`)
      if (newest(read[2]) > old)
        wrong.push(`${key}: ${nameOf(read)} was read after it was overwritten or deleted`)
    }
  }
  return wrong
}

function nameOf([, , , , writer, sequence]: Event): string {
  return `${writer}.${sequence}`
}

/** The latest beginning of a change that was over at a time. */
function changesUpTo(events: readonly Event[]): (time: number) => number {
  const changes = events.filter(([kind]) => kind === 'set' || kind === 'delete').sort((a, b) => a[3] - b[3])
  let latest = Number.NEGATIVE_INFINITY
  const latestUpTo = changes.map(([, , start]) => {
    latest = Math.max(latest, start)
    return latest
  })
  return (time) => {
    let [low, high] = [0, changes.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (changes[middle]![3] < time) low = middle + 1
      else high = middle
    }
    return low === 0 ? Number.NEGATIVE_INFINITY : latestUpTo[low - 1]!
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const there = groups.get(keyOf(item))
    if (there === undefined) groups.set(keyOf(item), [item])
    else there.push(item)
  }
  return groups
}
