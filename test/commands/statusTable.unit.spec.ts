import assert from 'node:assert/strict';
import { statusTable } from '../../src/commands/statusTable.ts';

describe('commands/statusTable', () => {
  it('shows facts in rows, and objects of one shape in columns', () => {
    const text = statusTable({
      role: 'main',
      epoch: 3n,
      logProblem: undefined,
      projections: { repositories: { height: 42, state: 'live' }, merkleTree: { height: 7, state: 'catching_up' } },
      batches: { sealed: 4, alarm: undefined },
      peers: [],
    });
    assert.deepEqual(text.split('\n'), [
      'role   main',
      'epoch  3',
      'projections',
      '                height  state',
      '  repositories  42      live',
      '  merkleTree    7       catching_up',
      'batches',
      '  sealed  4',
      'peers  none',
    ]);
  });

  it('leaves the cell empty of what some have besides', () => {
    const projections = { a: { height: 4, state: 'live' }, b: { height: 3, state: 'live', optional: true } };
    assert.deepEqual(statusTable({ projections }).split('\n'), [
      'projections',
      '     height  state  optional',
      '  a  4       live',
      '  b  3       live   true',
    ]);
  });

  it('shows nested objects that differ in shape as rows', () => {
    assert.deepEqual(statusTable({ a: { b: { c: 1 }, d: { e: { f: [1, 2] } } } }).split('\n'), [
      'a',
      '  b',
      '    c  1',
      '  d',
      '    e',
      '      f  1, 2',
    ]);
  });
});
