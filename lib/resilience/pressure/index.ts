export {
  createPressure,
  memoryPressure,
  type Pressure,
  type PressureState,
  type PressureStats,
} from './detector.js'
export type { PressureLevel } from './level.js'
export type { PressureOptions } from './options.js'
export type { PressureSource } from './source.js'
