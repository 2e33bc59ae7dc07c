import { Worker } from 'node:worker_threads'

interface Told {
  readonly id?: number
  readonly value?: unknown
  readonly error?: { readonly code?: string; readonly message: string }
  readonly read?: string
}

/** A worker thread that runs worker.mjs. */
export class Thread {
  readonly worker: Worker
  /** What its readers read so far, last first told. */
  readonly reads: string[] = []
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #last = 0
  #onRead: (() => void) | undefined

  constructor(data: { readonly tells?: boolean } = {}) {
    this.worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: data })
    this.worker.on('message', (told: Told) => this.#told(told))
    this.worker.on('error', (error) => this.#end(error))
    this.worker.on('exit', () => this.#end(new Error('the thread is gone')))
  }

  /** Has the thread do something; says what came of it. */
  ask<T = unknown>(op: string, ...args: readonly unknown[]): Promise<T> {
    this.#last += 1
    const id = this.#last
    this.worker.postMessage({ id, op, args })
    return new Promise<T>((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as (value: unknown) => void, reject })
    })
  }

  /** Resolves when a reader has read `text`. */
  async hasRead(text: string): Promise<void> {
    while (!this.reads.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#onRead = resolve
      })
    }
  }

  #told({ id, value, error, read }: Told): void {
    if (read !== undefined) {
      this.reads.push(read)
      this.#onRead?.()
      return
    }
    const asked = this.#asked.get(id!)
    this.#asked.delete(id!)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(Object.assign(new Error(error.message), { code: error.code }))
  }

  #end(error: Error): void {
    for (const { reject } of this.#asked.values()) reject(error)
    this.#asked.clear()
  }
}
