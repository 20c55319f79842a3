import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { type Abi, toEventSelector, toFunctionSelector } from 'viem';
import { formatAbiItem } from 'viem/utils';
import { developmentContract } from '../../src/l1/developmentL1.ts';
import { BRIDGEHUB_ABI, CHAIN_TYPE_MANAGER_ABI, DIAMOND_ABI } from '../../src/l1/l1Abi.ts';

interface SelectorVectors {
  readonly cases: readonly [
    {
      readonly expected: {
        readonly functions: Readonly<Record<string, string>>;
        readonly events: Readonly<Record<string, string>>;
      };
    },
  ];
}

const file = new URL('../fixtures/vectors/settlement-selectors.json', import.meta.url);
const { functions, events } = (JSON.parse(readFileSync(file, 'utf8')) as SelectorVectors).cases[0].expected;

/** Signature -> selector or topic. */
function selectorsOf(abi: Abi): Map<string, string> {
  const found = new Map<string, string>();
  for (const item of abi) {
    if (item.type === 'function') found.set(formatAbiItem(item), toFunctionSelector(item));
    if (item.type === 'event') found.set(formatAbiItem(item), toEventSelector(item));
  }
  return found;
}

describe('ABI of L1', () => {
  it('has the selectors and topics of the real contracts (settlement-selectors)', () => {
    const known = { ...functions, ...events };
    let compared = 0;
    for (const abi of [BRIDGEHUB_ABI, CHAIN_TYPE_MANAGER_ABI, DIAMOND_ABI] as readonly Abi[]) {
      for (const [signature, selector] of selectorsOf(abi)) {
        if (known[signature] === undefined) continue;
        assert.equal(selector, known[signature], signature);
        compared += 1;
      }
    }
    assert.equal(compared, 12);
  });

  it('is what the development contracts offer, function by function and event by event', () => {
    const pairs = [
      [BRIDGEHUB_ABI, 'Bridgehub'],
      [CHAIN_TYPE_MANAGER_ABI, 'ChainTypeManager'],
      [DIAMOND_ABI, 'ZKChain'],
    ] as const;
    for (const [abi, name] of pairs) {
      const offered = selectorsOf(developmentContract(name).abi);
      for (const [signature, selector] of selectorsOf(abi))
        assert.equal(offered.get(signature), selector, `${name}.${signature}`);
    }
  });
});
