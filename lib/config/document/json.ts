import { z } from 'zod'
import { anyTier, TIER_SCHEMAS } from '../../cache/tier-options.js'
import { factsOf, type JsonSchema, jsonFormOf, optionsWithin } from '../option.js'

/*
 * What JSON may hold for a schema, draft 2020-12. Zod knows the plain ones; what is checked by code says it of itself.
 */

type Target = Record<string, unknown>

/** The JSON schema of what `schema` takes. What only code can give is left out. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => adapt(zodSchema as unknown as z.ZodType, jsonSchema as Target),
  }) as Target
  return json
}

function adapt(schema: z.ZodType, json: Target): void {
  const form = jsonFormOf(schema)
  const within = optionsWithin(schema)
  if (within !== undefined) Object.assign(json, { anyOf: [form, jsonSchemaOf(within)] })
  else if (form !== undefined) Object.assign(json, form)
  if (schema === anyTier) Object.assign(json, { anyOf: Object.values(TIER_SCHEMAS).map(jsonSchemaOf) })
  if (schema instanceof z.ZodObject) withoutCode(schema, json)
  if (schema instanceof z.ZodPrefault || json['default'] === null) delete json['default']
  if (schema instanceof z.ZodUnion && Array.isArray(json['anyOf'])) {
    // An alternative that only code can give says nothing in JSON.
    json['anyOf'] = json['anyOf'].filter((one: object) => Object.keys(one).length > 0)
  }
}

function withoutCode(schema: z.ZodObject, json: Target): void {
  const properties = json['properties'] as Target | undefined
  for (const [name, option] of Object.entries(schema.shape)) {
    if (factsOf(option as unknown as z.ZodType)?.code) delete properties?.[name]
  }
}
