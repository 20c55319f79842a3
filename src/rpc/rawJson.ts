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

/** `object` with one more field at its end. */
export function withField(object: JsonRecord, name: string, value: RawJson): RawJson {
  const text = JSON.stringify(object);
  const separator = text === '{}' ? '' : ',';
  return new RawJson(`${text.slice(0, -1)}${separator}${JSON.stringify(name)}:${value.text}}`);
}
