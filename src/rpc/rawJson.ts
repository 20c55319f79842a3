/** Long answers are written piece by piece, so that neither time on the event loop nor memory grows with them unnoticed. */
import { Turns } from '../common/turns.ts';
import { responseTooBig } from './errors.ts';

/** JSON text that is already written. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An array of `toJson(item)`. Throws -32008 once the text is longer than `maxBytes`. */
export async function jsonArray<T>(
  items: readonly T[],
  toJson: (item: T, index: number) => unknown,
  maxBytes: number,
): Promise<RawJson> {
  const turns = new Turns();
  const parts: string[] = [];
  let length = 2;
  for (const [index, item] of items.entries()) {
    const part = JSON.stringify(toJson(item, index));
    // What is written is ASCII: hex, numbers and fixed keys.
    length += part.length + 1;
    if (length > maxBytes) throw responseTooBig(maxBytes);
    parts.push(part);
    const turn = turns.due();
    if (turn !== undefined) await turn;
  }
  return new RawJson(`[${parts.join(',')}]`);
}

/** An object of which some fields are written already; undefined ones are left out. */
export function jsonObject(fields: Readonly<Record<string, unknown>>): RawJson {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    parts.push(`${JSON.stringify(name)}:${value instanceof RawJson ? value.text : JSON.stringify(value)}`);
  }
  return new RawJson(`{${parts.join(',')}}`);
}
