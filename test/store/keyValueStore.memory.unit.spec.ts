import { MemoryStore } from '../../src/store/keyValueStore.memory.ts';
import { keyValueStoreContract } from '../contracts/keyValueStore.contract.ts';

describe('store/keyValueStore.memory', () => {
  keyValueStoreContract(async () => new MemoryStore());
});
