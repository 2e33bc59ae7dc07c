import type { Pressure, PressureState } from '../resilience/pressure/index.js'

/** Who is told of memory pressure. */
export interface Pressed {
  onPressure(state: PressureState): void
}

/** What leaves for those who were collected without having left: the detector outlives them. */
const forgotten = new FinalizationRegistry<() => void>((leave) => leave())

/**
 * Tells `pressed` of changes for as long as somebody has it, and at once when memory is short already. Returns what
 * ends it.
 */
export function follow(pressure: Pressure, pressed: Pressed): () => void {
  const weak = new WeakRef(pressed)
  const leave = pressure.subscribe((state) => weak.deref()?.onPressure(state))
  forgotten.register(pressed, leave, weak)
  const now = pressure.current()
  if (now.factor < 1) pressed.onPressure(now)
  return () => {
    forgotten.unregister(weak)
    leave()
  }
}
