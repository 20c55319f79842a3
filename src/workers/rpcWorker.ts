/** Thread in which calls and estimates run, on the same VM as blocks, sliced and limited. */
import { parentPort, workerData } from 'node:worker_threads';
import { importConfig } from '../common/config.ts';
import { assert } from '../common/errors.ts';
import type { SimulatedCall, SimulationResult } from '../rpc/backend.ts';
import { createSimulator } from '../rpc/simulator.ts';
import { remoteState } from './remoteState.ts';
import type { StateService } from './chainWorker.ts';
import { ThreadPort } from './threadPort.ts';
import type { RpcWorkerData } from './workerData.ts';

export interface SimulationService {
  simulate(call: SimulatedCall): Promise<SimulationResult>;
}

assert(parentPort !== null, 'rpcWorker runs as a worker');
const { config: portable, chain: chainEndpoint } = workerData as RpcWorkerData;
const config = importConfig(portable);
const main = new ThreadPort(parentPort);
const state = new ThreadPort(chainEndpoint).remote<StateService>('state');
const simulator = createSimulator({
  state: remoteState(state),
  blockContext: (height) => state.blockContext(height),
  timeoutMs: config.rpcCallTimeoutMs,
  onSimulated: (facts) => main.emit('simulated', facts),
});
main.serve<SimulationService>('simulation', { simulate: (call) => simulator.simulate(call) });
main.emit('ready', undefined);
