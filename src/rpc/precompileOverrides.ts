/** Precompiles and hooks under the state overrides of a call: moved away, or replaced by code (spec: rpc 6, 14). */
import { bytesKey, equalBytes, toHex } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { hookAt } from '../vm/hookAddresses.ts';
import { precompileAt } from '../vm/precompiles/index.ts';
import type { Precompile } from '../vm/precompiles/index.ts';
import { ZKSYNC_OS_RULES } from '../vm/rules.ts';
import type { EvmRules } from '../vm/rules.ts';
import type { StateOverride } from './backend.ts';
import { invalidArgument } from './errors.ts';

/**
 * The rules that a call with these overrides runs under; undefined: the usual ones. A precompile that moves runs at its
 * new address and no longer at its own; one whose code is overridden is gone, and so is a system hook. Errors, as geth
 * words them: -32602 for a move from an address without precompile, to one that is overridden itself, or of two
 * precompiles to one address.
 */
export function overriddenRules(overrides: readonly StateOverride[]): EvmRules | undefined {
  const changed = new Map<string, Precompile | undefined>();
  const targets = new Set<string>();
  const replacedHooks = new Set<string>();
  for (const { address, code, movePrecompileTo } of overrides) {
    const precompile = precompileAt(address);
    if (movePrecompileTo !== undefined) {
      if (precompile === undefined) throw invalidArgument(`account ${toHex(address)} is not a precompile`);
      const target = bytesKey(movePrecompileTo);
      if (targets.has(target) || overrides.some((other) => equalBytes(other.address, movePrecompileTo)))
        throw invalidArgument(`account ${toHex(movePrecompileTo)} is already overridden`);
      targets.add(target);
      changed.set(target, precompile);
    }
    if (precompile !== undefined && (movePrecompileTo !== undefined || code !== undefined))
      changed.set(bytesKey(address), undefined);
    if (code !== undefined && hookAt(address) !== undefined) replacedHooks.add(bytesKey(address));
  }
  if (changed.size === 0 && replacedHooks.size === 0) return undefined;
  return {
    ...ZKSYNC_OS_RULES,
    precompileAt: (address: Bytes) => {
      const key = bytesKey(address);
      return changed.has(key) ? changed.get(key) : precompileAt(address);
    },
    hookAt: (address: Bytes) => (replacedHooks.has(bytesKey(address)) ? undefined : hookAt(address)),
  };
}
