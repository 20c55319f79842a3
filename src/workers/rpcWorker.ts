/** Thread in which calls, estimates and traces run, on the same VM as blocks, sliced and limited. */
import { parentPort, workerData } from 'node:worker_threads';
import { importConfig } from '../common/config.ts';
import { assert } from '../common/errors.ts';
import type { SimulatedCall, SimulationResult, TraceRequest } from '../rpc/backend.ts';
import { PreimageCache } from '../rpc/callState.ts';
import { SliceQueue } from '../rpc/executionLimits.ts';
import { createSimulator } from '../rpc/simulator.ts';
import { createTraces } from '../rpc/traces.ts';
import { remoteState } from './remoteState.ts';
import type { StateService } from './chainWorker.ts';
import { ThreadPort } from './threadPort.ts';
import { traceableBlock } from './traceableBlock.ts';
import type { RpcWorkerData } from './workerData.ts';

export interface SimulationService {
  simulate(call: SimulatedCall): Promise<SimulationResult>;
  /** JSON text. */
  trace(request: TraceRequest): Promise<string>;
}

assert(parentPort !== null, 'rpcWorker runs as a worker');
const { config: portable, chain: chainEndpoint } = workerData as RpcWorkerData;
const config = importConfig(portable);
const main = new ThreadPort(parentPort);
const state = new ThreadPort(chainEndpoint).remote<StateService>('state');
const shared = { state: remoteState(state), preimages: new PreimageCache(), slices: new SliceQueue() };
const simulator = createSimulator({
  ...shared,
  blockContext: (height) => state.blockContext(height),
  timeoutMs: config.rpcCallTimeoutMs,
  onSimulated: (facts) => main.emit('simulated', facts),
});
const traces = createTraces({
  ...shared,
  simulator,
  block: (height) => traceableBlock(state, height),
  timeoutMs: config.rpcCallTimeoutMs,
  maxConcurrent: config.rpcMaxTraceConcurrency,
  maxBytes: config.rpcMaxResponseSizeBytes,
  onRunning: (count) => main.emit('tracesRunning', count),
  onTraced: (facts) => main.emit('traced', facts),
});
main.serve<SimulationService>('simulation', {
  simulate: (call) => simulator.simulate(call),
  trace: (request) => traces.trace(request),
});
main.emit('ready', undefined);
