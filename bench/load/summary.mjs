import { merge, summaryOf as summarise } from '../../dist/metrics/histogram.js'

/** What several generators found, as one. */
export function summaryOf(parts, { rate, proxy }) {
  const sum = (figure) => parts.reduce((total, part) => total + figure(part), 0)
  const merged = (histograms) => summarise(merge(histograms))
  const names = [...new Set(parts.flatMap(({ outcomes }) => Object.keys(outcomes)))].sort()
  const outcomes = Object.fromEntries(
    names.map((name) => [name, merged(parts.flatMap((part) => part.outcomes[name] ?? []))]),
  )
  const errors = {}
  for (const part of parts) {
    for (const [why, count] of Object.entries(part.errors)) errors[why] = (errors[why] ?? 0) + count
  }
  const answered = sum(({ answered: count }) => count)
  const seconds = Math.max(...parts.map(({ ms }) => ms)) / 1000
  return {
    rate,
    seconds,
    sent: sum(({ sent }) => sent),
    answered,
    perSecond: answered / seconds,
    bytes: sum(({ bytes }) => bytes),
    failed: sum(({ failed }) => failed),
    again: sum(({ again }) => again),
    errors,
    hits: outcomes['hit'],
    hitRatio: (outcomes['hit']?.count ?? 0) / answered,
    outcomes,
    all: merged(parts.map(({ all }) => all)),
    late: merged(parts.map(({ late }) => late)),
    generatorCpu: sum(({ cpuMs }) => cpuMs) / 1000 / seconds,
    proxy,
  }
}
