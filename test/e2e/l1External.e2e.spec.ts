import { join } from 'node:path';
import { externalSuite } from '../l1/externalSuite.ts';

externalSuite('external nodes and L1 (embedded log)', () =>
  Promise.resolve({
    main: {},
    external: (mainDataPath) => ({ event_log_path: join(mainDataPath, 'log') }),
  }),
);
