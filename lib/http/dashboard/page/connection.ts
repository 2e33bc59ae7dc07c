import type { HistoryMessage, TickMessage, TroubleMessage, WindowMessage } from '../messages.js'

/** Who is told of what comes. */
export interface Listener {
  history(message: HistoryMessage): void
  window(message: WindowMessage): void
  tick(message: TickMessage): void
  trouble(message: TroubleMessage): void
  /** How the connection is: undefined while it is well, else what is wrong with it, in words. */
  connection(problem: string | undefined): void
}

const RETRY_MS = 2000
/** A tick comes each second: after that long without one, something between here and there is broken. */
const SILENCE_MS = 5000

/** Listens to the events at `url` for good, through restarts of the server. */
export function listen(url: string, listener: Listener): void {
  let source: EventSource
  let heard = performance.now()
  let retry: number | undefined

  const onMessage = <T>(name: string, use: (message: T) => void): void => {
    source.addEventListener(name, (event: MessageEvent<string>) => {
      heard = performance.now()
      use(JSON.parse(event.data) as T)
    })
  }

  const open = (): void => {
    retry = undefined
    heard = performance.now()
    source = new EventSource(url)
    onMessage<HistoryMessage>('history', (message) => listener.history(message))
    onMessage<WindowMessage>('window', (message) => listener.window(message))
    onMessage<TickMessage>('tick', (message) => listener.tick(message))
    onMessage<TroubleMessage>('trouble', (message) => listener.trouble(message))
    // A browser tries again by itself only where nobody answered, and not everywhere.
    source.addEventListener('error', again)
  }

  const again = (): void => {
    if (retry !== undefined) return
    source.close()
    retry = window.setTimeout(open, RETRY_MS)
    listener.connection('disconnected: no answer, trying again')
    void why(url).then((reason) => {
      if (retry !== undefined && reason !== undefined) listener.connection(reason)
    })
  }

  window.setInterval(() => {
    if (retry === undefined && performance.now() - heard > SILENCE_MS) again()
  }, 1000)
  open()
}

/** What the server says to who asks for events; undefined where it does not answer. */
async function why(url: string): Promise<string | undefined> {
  try {
    const { status } = await fetch(url, { method: 'HEAD' })
    if (status === 401) return 'disconnected: the session is over, load the page again'
    if (status === 503) return 'disconnected: too many look on, trying again'
    return status === 200 ? undefined : `disconnected: the server says ${status}, trying again`
  } catch (error) {
    // What everybody sees who has no server: there is nothing to add to that.
    return error instanceof TypeError ? undefined : String(error)
  }
}
