/** Runs a folder of vectors through production code. What it does not know counts as failed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, matchesGlob, relative, sep } from 'node:path';
import { abiVectors } from './abiVectors.ts';
import type { VectorFamily, VectorFolder } from './family.ts';
import { genesisVectors } from './genesisVectors.ts';
import { headerVectors } from './headerVectors.ts';
import { logTreeVectors } from './logTreeVectors.ts';
import { merkleVectors } from './merkleVectors.ts';
import { priorityTreeVectors } from './priorityTreeVectors.ts';
import { pubdataVectors } from './pubdataVectors.ts';
import { receiptVectors } from './receiptVectors.ts';
import { replayVectors } from './replayVectors.ts';
import { settlementVectors } from './settlementVectors.ts';
import { stateVectors } from './stateVectors.ts';
import { Suite } from './suite.ts';
import { transactionVectors } from './transactionVectors.ts';
import { parseVectorJson } from './vectorData.ts';

const FAMILIES: readonly VectorFamily[] = [
  abiVectors,
  genesisVectors,
  headerVectors,
  logTreeVectors,
  merkleVectors,
  priorityTreeVectors,
  pubdataVectors,
  receiptVectors,
  replayVectors,
  settlementVectors,
  stateVectors,
  transactionVectors,
];

/** Files that the README of the vectors calls background: an older layout that production code must not emit. */
const BACKGROUND: readonly string[] = ['pubdata/account_deployment.json'];

export interface ConformanceResult {
  readonly passed: number;
  readonly failed: number;
}

function openFolder(root: string): VectorFolder & { readonly paths: readonly string[] } {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  const known = new Set(paths);
  return {
    paths,
    has: (path) => known.has(path),
    bytes: (path) => new Uint8Array(readFileSync(join(root, path))),
    json: (path) => parseVectorJson(readFileSync(join(root, path), 'utf8')),
  };
}

/** `leaveOut`: globs over relative paths; what they match is printed and not counted. */
export function runConformance(options: {
  readonly folder: string;
  readonly leaveOut: readonly string[];
  readonly print: (line: string) => void;
}): ConformanceResult {
  const { leaveOut, print } = options;
  const folder = openFolder(options.folder);
  const suite = new Suite(print);
  for (const path of folder.paths) {
    if (path.endsWith('.md')) continue;
    const pattern = leaveOut.find((glob) => matchesGlob(path, glob));
    const family = FAMILIES.find((candidate) => candidate.owns(path));
    if (pattern !== undefined) print(`left out ${path}: by request (${pattern})`);
    else if (BACKGROUND.includes(path)) print(`left out ${path}: background, not a rule of this version`);
    else if (family === undefined) suite.unknown(path, 'no rule of this program covers it');
    else suite.file(path, () => family.run(path, folder, suite));
  }
  if (suite.passed + suite.failed === 0) suite.unknown(options.folder, 'there is no vector in it');
  return { passed: suite.passed, failed: suite.failed };
}
