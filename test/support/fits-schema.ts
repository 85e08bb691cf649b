/**
 * @module A small validator of the part of JSON Schema that answers can be held to, written apart from what holds them.
 */
type Schema = Readonly<Record<string, unknown>>

/** Whether a value fits a schema. */
export function fitsSchema(value: unknown, given: object | boolean, root: object | boolean = given): boolean {
  if (typeof given === "boolean") return given
  const schema = given as Schema
  const fits = (inner: unknown, part: unknown): boolean => fitsSchema(inner, part as object | boolean, root)
  const { $ref, allOf, anyOf, oneOf, type, properties, required, additionalProperties, items } = schema
  // As OpenAPI 3.0 has it.
  if (value === null && schema["nullable"] === true) return true
  if (typeof $ref === "string") {
    const path = $ref.split("/").slice(1)
    return fits(
      value,
      path.reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], root),
    )
  }
  if (Array.isArray(allOf) && !allOf.every((each) => fits(value, each))) return false
  if (Array.isArray(anyOf) && !anyOf.some((each) => fits(value, each))) return false
  if (Array.isArray(oneOf) && oneOf.filter((each) => fits(value, each)).length !== 1) return false
  if ("const" in schema && !Bun.deepEquals(value, schema["const"])) return false
  if (Array.isArray(schema["enum"]) && !schema["enum"].some((each) => Bun.deepEquals(value, each))) return false
  if (type !== undefined && ![type].flat().some((each) => isA(value, each as string))) return false
  const within = (size: number, low: string, high: string): boolean =>
    size >= ((schema[low] as number | undefined) ?? 0) && size <= ((schema[high] as number | undefined) ?? Infinity)
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema as { minimum?: number; maximum?: number }
    return value >= minimum && value <= maximum
  }
  if (typeof value === "string") return within([...value].length, "minLength", "maxLength")
  if (Array.isArray(value)) {
    return (
      within(value.length, "minItems", "maxItems") && (items === undefined || value.every((each) => fits(each, items)))
    )
  }
  if (typeof value !== "object" || value === null) return true
  const known = (properties ?? {}) as Record<string, unknown>
  return (
    ((required ?? []) as string[]).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, each]) =>
      Object.hasOwn(known, name) ? fits(each, known[name]) : fits(each, additionalProperties ?? true),
    )
  )
}

function isA(value: unknown, type: string): boolean {
  if (type === "null") return value === null
  if (type === "array") return Array.isArray(value)
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value)
  return type === "integer" ? Number.isInteger(value) : typeof value === type
}
