import { z } from 'zod'

/*
 * What is known of an option beside what it may be: said once, where its schema stands. Types, defaults, checks, doc comments,
 * docs/reference/configuration.md and the JSON schema all come from there (`npm run docs:config`).
 */

/** What a number, or a text that stands for one, counts. */
export type Unit = 'bytes' | 'ms'

/** What is said of an option. */
export interface OptionFacts {
  /** What it does. */
  readonly about: string
  readonly unit?: Unit | undefined
  /** True: `configure` changes it at run time. Else why it takes a restart. */
  readonly live: true | string
  /** What holds where it is not given and where that is no one value: in words. */
  readonly otherwise?: string | undefined
  /** Only code can give it: a function, a stream. A configuration file in JSON has none. */
  readonly code?: true | undefined
  /** Its value is told to nobody. */
  readonly secret?: true | undefined
}

/** What a group of options, or an option without one value as its default, says. */
type Facts = Omit<OptionFacts, 'about'>

/** By the schema that stands in its group. */
const FACTS = z.registry<OptionFacts>()

/** A schema of JSON, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** What JSON may hold in place of what only code can check. */
const JSON_FORMS = z.registry<JsonSchema>()

/** Of an option that is a value or an object of options: those options. */
const WITHIN = new WeakMap<object, z.ZodObject>()

/** An option that has one value as its default. */
export function option<T extends z.ZodType>(
  about: string,
  schema: T,
  facts: Facts & { readonly default: z.output<T> },
): z.ZodDefault<T>
/** One that need not be given. */
export function option<T extends z.ZodType>(about: string, schema: T, facts: Facts): z.ZodOptional<T>
export function option(
  about: string,
  schema: z.ZodType,
  facts: Facts & { readonly default?: unknown },
): z.ZodType {
  const { default: value, ...rest } = facts
  return said(about, 'default' in facts ? schema.default(value) : schema.optional(), rest)
}

/** An option that has to be given. */
export function required<T extends z.ZodType>(about: string, schema: T, facts: Facts): T {
  return said(about, schema, facts)
}

/** Options that stand together: not given, each of them has its default. */
export function group<T extends z.ZodType>(about: string, schema: T): z.ZodPrefault<T> {
  return said(about, schema.prefault({} as z.input<T>), { live: true })
}

function said<T extends z.ZodType>(about: string, schema: T, facts: Facts): T {
  const own = schema.meta({ description: about }) as T
  FACTS.add(own as z.ZodType, { about, ...facts } as never)
  return own
}

/** A value that is what it should be when `problem` says nothing, and whose error says what `problem` says. */
export function checked<T>(
  problem: (value: unknown) => string | undefined,
  json: JsonSchema,
): z.ZodCustom<T, T> {
  const schema = z.custom<T>((value) => problem(value) === undefined, {
    error: (issue) => problem(issue.input) ?? '',
  })
  JSON_FORMS.add(schema as z.ZodType, json as never)
  return schema
}

/** A whole number. */
export function wholeOption(
  least: number,
  most = Number.MAX_SAFE_INTEGER,
  want = most === Number.MAX_SAFE_INTEGER
    ? `want a whole number of at least ${least}`
    : `want a whole number from ${least} to ${most}`,
): z.ZodCustom<number, number> {
  return checked<number>(
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
        ? undefined
        : want,
    {
      type: 'integer',
      minimum: least,
      ...(most === Number.MAX_SAFE_INTEGER ? {} : { maximum: most }),
    },
  )
}

/** A value that `is` knows, or an object of `options`, whose mistakes are told each by itself. */
export function orOptions<T>(
  options: z.ZodObject,
  is: (value: unknown) => boolean,
  want: string,
  json: JsonSchema,
): z.ZodCustom<T, T> {
  const schema = z.custom<unknown>().check((context) => {
    const { value, issues } = context
    if (is(value)) return
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      issues.push({ code: 'custom', message: want, input: value, path: [] })
      return
    }
    const result = options.safeParse(value, { reportInput: true })
    for (const issue of result.error?.issues ?? []) issues.push(withinIssue(issue, options))
  })
  WITHIN.set(schema, options)
  JSON_FORMS.add(schema, json)
  return schema as z.ZodCustom<unknown, unknown> as z.ZodCustom<T, T>
}

/** An issue of an object of `options`, for whoever checks it as a part of something else. */
export function withinIssue(issue: z.core.$ZodIssue, options: z.ZodType): never {
  const path = [...issue.path]
  // Zod's types have issues of known shapes alone; it hands others on as they are.
  return { ...issue, path, known: shapeOf(schemaAt(options, path)) } as never
}

/** What stands in `schema` at `path`. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  let inner: unknown = schema
  for (const step of path) {
    const within = bare(inner)
    if (within instanceof z.ZodArray) inner = within.element
    else inner = shapeOf(within)?.[String(step)]
  }
  return inner
}

/** What is said of the option that `schema` is, in its group. */
export function factsOf(schema: z.ZodType): OptionFacts | undefined {
  return FACTS.get(schema)
}

/** What JSON may hold for `schema`, where only code knows. */
export function jsonFormOf(schema: z.ZodType): JsonSchema | undefined {
  return JSON_FORMS.get(schema)
}

/** The schema within: without what says that it may be left out. */
export function bare(schema: unknown): unknown {
  let inner = schema
  for (;;) {
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      inner = inner.unwrap()
    } else if (inner instanceof z.ZodPipe) inner = inner.out
    else return inner
  }
}

/** The options that may stand in place of a value. */
export function optionsWithin(schema: unknown): z.ZodObject | undefined {
  return schema instanceof z.ZodType ? WITHIN.get(schema) : undefined
}

/** The options that an object may have which is given for `schema`. */
export function shapeOf(schema: unknown): Readonly<Record<string, z.ZodType>> | undefined {
  const inner = bare(schema)
  if (inner instanceof z.ZodObject) return inner.shape as Record<string, z.ZodType>
  return optionsWithin(inner)?.shape as Record<string, z.ZodType> | undefined
}

/** The value that holds where the option is not given; undefined where there is no one value. */
export function defaultOf(schema: z.ZodType): unknown {
  if (!(schema instanceof z.ZodDefault)) return undefined
  return schema.def.defaultValue
}

function optional(schema: z.ZodType): z.ZodType {
  return (schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema).optional()
}

type Bare<T> =
  T extends z.ZodDefault<infer I extends z.ZodType>
    ? z.ZodOptional<I>
    : T extends z.ZodOptional
      ? T
      : T extends z.ZodType
        ? z.ZodOptional<T>
        : never

/** The same options, of which those that are not given stay so: of a call, or a patch. */
export function partial<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
): z.ZodObject<{ [K in keyof S]: Bare<S[K]> }, z.core.$strict> {
  const shape = Object.entries(schema.shape as unknown as Record<string, z.ZodType>).map(([name, one]) => [
    name,
    one instanceof z.ZodOptional ? one : optional(one),
  ])
  return z.strictObject(Object.fromEntries(shape)) as never
}
