import { parseArgs } from 'node:util'

/** The command line is not what it may be: one line for the user, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command line is right, but the command cannot do its work: one line, exit status 1 unless the command says another. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly status: number

  constructor(message: string, { status = 1, ...options }: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options)
    this.status = status
  }
}

/** How a flag is written: alone, with a value, with one each time that it is given, or with a value that may be left out. */
export type Flag =
  | { readonly type: 'boolean' }
  | { readonly type: 'string' }
  | { readonly type: 'string'; readonly multiple: true }
  | { readonly type: 'string'; readonly alone: string }

export type Flags = Readonly<Record<string, Flag>>

/** As given; all of them of a flag that may be given more than once. */
export type FlagValue = string | boolean | readonly string[] | undefined

/** Values of flags, as given, and words that are none. */
export interface Given {
  readonly flags: Record<string, FlagValue>
  readonly operands: readonly string[]
}

/** Values by flag, as given. @throws `UsageError` for a flag that is unknown or lacks its value, and for words that are none. */
export function readFlags(args: readonly string[], flags: Flags): Given['flags'] {
  return read(args, flags, false).flags
}

/** The same of a command that takes words which are no flags. @throws `UsageError` */
export function readOperands(args: readonly string[], flags: Flags): Given {
  return read(args, flags, true)
}

function read(args: readonly string[], flags: Flags, allowPositionals: boolean): Given {
  try {
    const { values, positionals } = parseArgs({
      args: args.map((arg, i) => withDefault(arg, args[i + 1], flags)),
      options: Object.fromEntries(
        Object.entries(flags).map(([name, flag]) => [
          name,
          { type: flag.type, multiple: 'multiple' in flag },
        ]),
      ),
      strict: true,
      allowPositionals,
    })
    return { flags: values as Given['flags'], operands: positionals }
  } catch (error) {
    // Node explains at length; its first sentence names what is wrong.
    const [first = 'the command line cannot be read'] = (error as Error).message.split(/\. |\n/)
    throw new UsageError(first.replace(/\.$/, ''), { cause: error })
  }
}

/** A flag whose value may be left out, with the value that this stands for. */
function withDefault(arg: string, next: string | undefined, flags: Flags): string {
  const flag = arg.startsWith('--') ? flags[arg.slice(2)] : undefined
  const lacksValue = next === undefined || (next.startsWith('-') && next !== '-')
  return flag !== undefined && 'alone' in flag && lacksValue ? `${arg}=${flag.alone}` : arg
}
