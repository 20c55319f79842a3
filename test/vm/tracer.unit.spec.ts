import assert from 'node:assert/strict';
import { toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import type { Tracer } from '../../src/vm/tracer.ts';
import { creationAddress } from '../../src/vm/creates.ts';
import { aBlockContext, anAddress, aWord, code, from, fromL1, push } from '../support/factories.ts';
import { aState, CONTRACT, drive, included, SENDER } from './harness.ts';

const short = (address: Bytes): string => `0x${toHex(address).slice(2).replace(/^0+/, '')}`;

/** One line per event, indented by depth. */
class Recorder implements Tracer {
  readonly lines: string[] = [];
  #depth = 0;

  enter(frame: Parameters<Tracer['enter']>[0]): void {
    this.lines.push(
      `${' '.repeat(this.#depth)}${frame.kind} ${short(frame.from)} ${short(frame.to)} ${frame.value} in ${frame.input.length}`,
    );
    this.#depth += 1;
  }

  exit(result: Parameters<Tracer['exit']>[0]): void {
    this.#depth -= 1;
    this.lines.push(`${' '.repeat(this.#depth)}${result.success ? 'ok' : result.error} out ${result.output.length}`);
  }

  log(log: Parameters<Tracer['log']>[0]): void {
    this.lines.push(`${' '.repeat(this.#depth)}LOG${log.topics.length} ${log.data.length}`);
  }

  get depth(): number {
    return this.#depth;
  }
}

describe('tracer hooks', () => {
  const callee = anAddress(0xca11ee);
  const call = (to: Bytes, opcode = 0xf1, value = 0): Bytes =>
    code(
      push(4),
      push(0),
      push(4),
      push(0),
      opcode === 0xf1 || opcode === 0xf2 ? push(value) : '',
      push(to),
      push(50_000),
      opcode,
      0x50,
    );

  function trace(program: Bytes, calleeCode: Bytes): string[] {
    const state = aState(program, { balance: 9n }).put(callee, { nonce: 1n, code: calleeCode });
    const tracer = new Recorder();
    const execution = new BlockExecution({ context: aBlockContext(), state, tracer });
    included(drive(execution, state, from(SENDER, { to: CONTRACT, gasLimit: 1_000_000n, input: aWord(1) })));
    assert.equal(tracer.depth, 0);
    return tracer.lines;
  }

  it('see calls, creations, logs and failures in order', () => {
    const program = code(
      call(callee, 0xf1, 3),
      call(anAddress(0xe0a)),
      call(anAddress(4)),
      call(callee, 0xf4),
      push(0), push(0), push(0), 0xf0, 0x50,
      push(7), push(8), push(2), push(0), 0xa2,
      push(2), push(0), 0xf3,
    ); // prettier-ignore
    assert.deepEqual(trace(program, code(push(1), push(0), 0xfd)), [
      `CALL 0x5e4de4 0xc0de 0 in 32`,
      ` CALL 0xc0de 0xca11ee 3 in 4`,
      ` execution reverted out 1`,
      ` CALL 0xc0de 0xe0a 0 in 4`,
      ` ok out 0`,
      ` CALL 0xc0de 0x4 0 in 4`,
      ` ok out 4`,
      ` DELEGATECALL 0xc0de 0xca11ee 0 in 4`,
      ` execution reverted out 1`,
      ` CREATE 0xc0de ${short(creationAddress(CONTRACT, 1n))} 0 in 0`,
      ` ok out 0`,
      ` LOG2 2`,
      `ok out 2`,
    ]);
  });

  it('say why a frame failed', () => {
    const failure = (calleeCode: Bytes): string | undefined => trace(call(callee, 0xfa), calleeCode)[2]?.trim();
    assert.equal(failure(code(0xfe)), 'invalid opcode: INVALID out 0');
    assert.equal(failure(code(0x01)), 'stack underflow out 0');
    assert.equal(failure(code(push(0), 0x56)), 'invalid jump destination out 0');
    assert.equal(failure(code(push(0), push(0), 0x55)), 'write protection out 0');
    assert.equal(failure(code(0x5b, push(0), 0x56)), 'out of gas out 0');
    assert.equal(failure(code(push(1), push(0), push(0), 0x3e)), 'return data out of bounds out 0');
  });

  it('see a selfdestruct inside its frame', () => {
    assert.deepEqual(trace(call(callee), code(push(anAddress(0xe0a)), 0xff)).slice(1, 5), [
      ' CALL 0xc0de 0xca11ee 0 in 4',
      '  SELFDESTRUCT 0xca11ee 0xe0a 0 in 0',
      '  ok out 0',
      ' ok out 0',
    ]);
  });

  it('leave every frame when native runs out', () => {
    const hog = code(0x5b, push(1), push(0), 0x55, push(2), push(0), 0x55, push(0), 0x56);
    const state = aState(code(push(0), push(0), push(0), push(0), push(0), push(callee), 0x5a, 0xf1)).put(callee, {
      nonce: 1n,
      code: hog,
    });
    const tracer = new Recorder();
    const execution = new BlockExecution({ context: aBlockContext(), state, tracer });
    included(drive(execution, state, fromL1({ to: CONTRACT, gasLimit: 90_000_000n })));
    assert.equal(tracer.depth, 0);
    assert.deepEqual(tracer.lines.slice(-2), [' out of native resources out 0', 'out of native resources out 0']);
  });
});
