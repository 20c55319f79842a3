import { join } from 'node:path';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import { killMainSuite } from '../support/killMainSuite.ts';

killMainSuite('the embedded log', async () => ({
  env: {},
  openReader: async (dataPath) => openEmbeddedLog({ path: join(dataPath, 'log'), readOnly: true }),
}));
