/** Which addresses run a system hook instead of code (spec: execution 10). */
import type { Bytes } from '../common/bytes.ts';

export type Hook = 'deployer' | 'messenger' | 'baseToken';

/** The hook at a 20-byte address. */
export function hookAt(address: Bytes): Hook | undefined {
  if (address[18] !== 0x80) return undefined;
  for (let i = 0; i < 18; i += 1) if (address[i] !== 0) return undefined;
  switch (address[19]) {
    case 0x06:
      return 'deployer';
    case 0x08:
      return 'messenger';
    case 0x0a:
      return 'baseToken';
    default:
      return undefined;
  }
}
