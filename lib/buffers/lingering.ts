/**
 * Memory that was let go of where only the collector can give it back to the system. Until it has, it is there, and counts; and
 * until then it can be had again, which takes nothing that is not taken already.
 */
export class Lingering {
  bytes = 0
  readonly #all = new Set<WeakRef<ArrayBuffer>>()
  readonly #collected = new FinalizationRegistry<{ ref: WeakRef<ArrayBuffer>; bytes: number }>(
    ({ ref, bytes }) => this.#forget(ref, bytes),
  )

  add(memory: ArrayBuffer): void {
    const ref = new WeakRef(memory)
    const bytes = memory.byteLength
    this.#all.add(ref)
    this.bytes += bytes
    this.#collected.register(memory, { ref, bytes }, ref)
  }

  /** Whether `take` would give something. */
  has(bytes: number): boolean {
    return this.#find(bytes) !== undefined
  }

  /** Memory of just that size, which lingers no more. */
  take(bytes: number): ArrayBuffer | undefined {
    const ref = this.#find(bytes)
    if (ref === undefined) return undefined
    const memory = ref.deref()
    this.#collected.unregister(ref)
    this.#forget(ref, bytes)
    return memory
  }

  #find(bytes: number): WeakRef<ArrayBuffer> | undefined {
    for (const ref of this.#all) if (ref.deref()?.byteLength === bytes) return ref
    return undefined
  }

  #forget(ref: WeakRef<ArrayBuffer>, bytes: number): void {
    if (this.#all.delete(ref)) this.bytes -= bytes
  }
}
