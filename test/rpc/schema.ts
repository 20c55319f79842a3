/** Checks values against the execution-apis schemas of test/fixtures: the keywords that those use. */
import { readFileSync } from 'node:fs';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const SCHEMAS = JSON.parse(
  readFileSync(new URL('../fixtures/execution-apis/schemas.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Schema>>;

function named(name: string): Schema {
  const schema = SCHEMAS[name];
  if (schema === undefined) throw new Error(`no schema ${name}`);
  return schema;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function hasType(value: unknown, type: string): boolean {
  return type === 'integer' ? Number.isInteger(value) : typeOf(value) === type;
}

function problems(value: unknown, schema: Schema, at: string): string[] {
  const found: string[] = [];
  if (schema.$ref !== undefined)
    found.push(...problems(value, named(schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)), at));
  if (schema.type !== undefined && !hasType(value, schema.type))
    found.push(`${at}: ${typeOf(value)}, not ${schema.type}`);
  if (schema.pattern !== undefined && !(typeof value === 'string' && new RegExp(schema.pattern).test(value))) {
    found.push(`${at}: ${JSON.stringify(value)} does not match ${schema.pattern}`);
  }
  if (typeof value === 'number' && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value))) {
    found.push(`${at}: ${value} is out of range`);
  }
  if (typeOf(value) === 'object') found.push(...objectProblems(value as Record<string, unknown>, schema, at));
  if (schema.items !== undefined && Array.isArray(value)) {
    const { items } = schema;
    value.forEach((item, index) => found.push(...problems(item, items, `${at}[${index}]`)));
  }
  for (const part of schema.allOf ?? []) found.push(...problems(value, part, at));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    const tried = choices.map((choice) => problems(value, choice, at));
    if (tried.every((list) => list.length > 0)) found.push(...tried.reduce((a, b) => (a.length <= b.length ? a : b)));
  }
  return found;
}

function objectProblems(value: Record<string, unknown>, schema: Schema, at: string): string[] {
  const found: string[] = [];
  for (const key of schema.required ?? []) if (!(key in value)) found.push(`${at}: ${key} is missing`);
  for (const [key, field] of Object.entries(value)) {
    const property = schema.properties?.[key];
    if (property !== undefined) found.push(...problems(field, property, `${at}.${key}`));
    else if (typeof schema.additionalProperties === 'object')
      found.push(...problems(field, schema.additionalProperties, `${at}.${key}`));
    else if (schema.additionalProperties === false) found.push(`${at}: ${key} is unknown`);
  }
  return found;
}

/** What is wrong with the value; empty: nothing. */
export function schemaProblems(value: unknown, name: string): string[] {
  return problems(value, named(name), name);
}
