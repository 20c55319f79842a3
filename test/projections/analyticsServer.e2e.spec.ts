import { basename } from 'node:path';
import { Secret } from '../../src/common/configTypes.ts';
import { analyticsStoreContract } from '../contracts/analyticsStore.contract.ts';
import { sharedClickHouse } from '../support/clickHouse.ts';
import { anAnalyticsConfig } from './analyticsConfig.ts';

describe('analytics in a ClickHouse server', () => {
  const run = process.pid;
  analyticsStoreContract(async (path) => {
    const { url, username, password } = (await sharedClickHouse()).endpoint;
    return anAnalyticsConfig(path, {
      clickhouseUrl: url,
      clickhouseUsername: username,
      clickhousePassword: new Secret(password),
      clickhouseDatabase: `reprise_test_${run}_${basename(path)}`,
    });
  });
});
