/*
 * Numbers as people read them. What is not known is a dash.
 */

/** A figure that there may not be. */
export type Figure = number | null | undefined

const NONE = '–'
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const SCALES: ReadonlyArray<readonly [number, string]> = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]

/** Three digits, or as many as there are before the point. */
function short(value: number): string {
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, '')
  return value.toFixed(2).replace(/\.?0+$/, '')
}

export function count(value: Figure): string {
  if (value === null || value === undefined) return NONE
  for (const [scale, unit] of SCALES) {
    // What would be rounded up to the next unit is of the next unit.
    if (Math.abs(value) >= scale * 0.9995) return `${short(value / scale)}${unit}`
  }
  return short(value)
}

export function bytes(value: Figure): string {
  if (value === null || value === undefined) return NONE
  let [scaled, unit] = [value, 0]
  while (Math.abs(scaled) >= 1023.5 && unit < UNITS.length - 1) {
    scaled /= 1024
    unit += 1
  }
  return `${short(scaled)} ${UNITS[unit]}`
}

export function perSecond(value: Figure): string {
  return value === null || value === undefined ? NONE : `${count(value)}/s`
}

export function bytesPerSecond(value: Figure): string {
  return value === null || value === undefined ? NONE : `${bytes(value)}/s`
}

export function percent(value: Figure): string {
  if (value === null || value === undefined) return NONE
  const of100 = value * 100
  // Nearly all, and nearly none, are neither.
  if (of100 > 99.9 && of100 < 100) return '>99.9 %'
  if (of100 > 0 && of100 < 0.1) return '<0.1 %'
  return `${of100 >= 99.95 || of100 === 0 ? of100.toFixed(0) : of100.toFixed(1)} %`
}

export function milliseconds(value: Figure): string {
  if (value === null || value === undefined) return NONE
  if (value >= 1000) return `${short(value / 1000)} s`
  if (value >= 1) return `${short(value)} ms`
  return value === 0 ? '0' : `${short(value * 1000)} µs`
}

/** Of seconds: the two largest units that there are. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  if (minutes > 0) return `${minutes} min ${whole % 60} s`
  return `${whole} s`
}

/** A time of the day, and the day where it is not today. */
export function moment(epoch: number): string {
  const at = new Date(epoch)
  const time = at.toLocaleTimeString(undefined, { hour12: false })
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString()} ${time}`
}
