import { analyticsStoreContract } from '../contracts/analyticsStore.contract.ts';
import { anAnalyticsConfig } from './analyticsConfig.ts';

describe('analytics in the embedded ClickHouse', () => analyticsStoreContract(async (path) => anAnalyticsConfig(path)));
