/** Something that knows how short memory is. */
export interface PressureSource {
  /** Said in the state and the statistics of the detector. */
  readonly name: string
  /**
   * The part of memory that is in use, 0 to 1; undefined when it has nothing to say, here or now. It is called up to ten times a
   * second on the event loop, so it must be quick. Whatever else it gives, and whatever it throws, is counted as a
   * failure, and the next source is asked.
   */
  ratio(): number | undefined
}

/** Of each row the first source that answers counts; of the rows, the highest answer. */
export type PressureSources = ReadonlyArray<readonly PressureSource[]>
