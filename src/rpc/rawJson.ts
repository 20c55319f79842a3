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

/** `object` with one more field at its end. */
export function withField(object: Readonly<Record<string, unknown>>, name: string, value: RawJson): RawJson {
  const text = JSON.stringify(object);
  const separator = text === '{}' ? '' : ',';
  return new RawJson(`${text.slice(0, -1)}${separator}${JSON.stringify(name)}:${value.text}}`);
}

/** The text of an object with another value in place of the first empty array under that name. */
export function inPlaceOfEmpty(objectText: string, name: string, { text }: RawJson): string {
  return objectText.replace(`${JSON.stringify(name)}:[]`, () => `${JSON.stringify(name)}:${text}`);
}
