import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** An operation of the document. */
export interface Operation {
  readonly method: string
  readonly path: string
  /** Examples of its JSON body. */
  readonly examples: readonly { readonly name: string; readonly value: unknown }[]
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema?: unknown }>> }>>
}

const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))

export const operations: readonly Operation[] = Object.entries(
  document.paths as Record<string, Record<string, Described>>,
).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { requestBody, responses }]) => {
    const examples = requestBody?.content['application/json']?.examples ?? {}
    return {
      ...{ method: method.toUpperCase(), path, responses },
      examples: Object.entries(examples).map(([name, { value }]) => ({ name, value })),
    }
  }),
)

interface Described {
  readonly requestBody?: { content: Record<string, { examples?: Record<string, { value: unknown }> }> }
  readonly responses: Operation['responses']
}

/** Throws with what is wrong where an answer is not as the document has it. */
export function checkAnswer(operation: Operation, status: number, body: unknown): void {
  const response = operation.responses[status]
  if (response === undefined) throw new Error(`${operation.method} ${operation.path} says nothing of ${status}`)
  const schema = response.content?.['application/json']?.schema
  if (schema === undefined) return
  z.fromJSONSchema(resolved(schema) as never).parse(body)
}

/** A schema with what it refers to in its place. */
function resolved(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(resolved)
  if (typeof schema !== 'object' || schema === null) return schema
  const { $ref } = schema as { $ref?: string }
  if ($ref === undefined) {
    return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, resolved(value)]))
  }
  return resolved(document.components.schemas[$ref.replace('#/components/schemas/', '')])
}
