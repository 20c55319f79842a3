/** What commands write to the standard output. */

/** A result for people or machines. */
export function print(json: boolean, value: Readonly<Record<string, unknown>>, text: string): void {
  process.stdout.write(
    json
      ? `${JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? entry.toString() : entry))}\n`
      : `${text}\n`,
  );
}
