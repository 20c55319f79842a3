/** Long answers are written piece by piece, so that neither time on the event loop nor memory grows with them unnoticed. */
import { Turns } from '../common/turns.ts';
import { responseTooBig } from './errors.ts';
import type { JsonRecord } from './objects.ts';

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
  toJson: (item: T) => unknown,
  maxBytes: number,
): Promise<RawJson> {
  const turns = new Turns();
  const parts: string[] = [];
  let length = 2;
  for (const item of items) {
    const part = JSON.stringify(toJson(item));
    // What is written is ASCII: hex, numbers and fixed keys.
    length += part.length + 1;
    if (length > maxBytes) throw responseTooBig(maxBytes);
    parts.push(part);
    const turn = turns.due();
    if (turn !== undefined) await turn;
  }
  return new RawJson(`[${parts.join(',')}]`);
}

/** An object of which some fields are written already. */
export function jsonObject(fields: JsonRecord): RawJson {
  const parts = Object.entries(fields).map(([name, value]) => {
    const text = value instanceof RawJson ? value.text : JSON.stringify(value ?? null);
    return `${JSON.stringify(name)}:${text}`;
  });
  return new RawJson(`{${parts.join(',')}}`);
}
