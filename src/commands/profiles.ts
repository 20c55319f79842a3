/** Defaults of the development nodes that package.json starts: below file, environment and flags. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const mainData = join(root, 'data/main');
const externalData = join(root, 'data/external');
/** Of its own: the log that it keeps is another one than the main node's. */
const externalTcpData = join(root, 'data/externalTcp');

export type ProfileName = 'development' | 'development-external' | 'development-external-tcp';

/** Option name -> text, as an environment would give it. */
export const PROFILES: Readonly<Record<ProfileName, Readonly<Record<string, string>>>> = {
  development: {
    development: 'true',
    general_rocks_db_path: mainData,
    sequencer_block_dump_path: join(mainData, 'blockDumps'),
    rpc_address: '127.0.0.1:3050',
    status_server_address: '127.0.0.1:3071',
    sequencer_block_replay_server_address: '127.0.0.1:3053',
  },
  'development-external': {
    development: 'true',
    node_role: 'external',
    general_rocks_db_path: externalData,
    sequencer_block_dump_path: join(externalData, 'blockDumps'),
    event_log_path: join(mainData, 'log'),
    general_main_node_rpc_url: 'http://127.0.0.1:3050',
    rpc_address: '127.0.0.1:3051',
    status_server_address: '127.0.0.1:3072',
    sequencer_block_replay_server_address: '127.0.0.1:3054',
    general_prometheus_port: '3313',
  },
  'development-external-tcp': {
    development: 'true',
    node_role: 'external',
    general_rocks_db_path: externalTcpData,
    sequencer_block_dump_path: join(externalTcpData, 'blockDumps'),
    sequencer_block_replay_download_address: '127.0.0.1:3053',
    general_main_node_rpc_url: 'http://127.0.0.1:3050',
    rpc_address: '127.0.0.1:3051',
    status_server_address: '127.0.0.1:3072',
    sequencer_block_replay_server_address: '127.0.0.1:3054',
    general_prometheus_port: '3313',
  },
};

/** Everything that `reprise reset` deletes. */
export const DEVELOPMENT_DATA: readonly string[] = [mainData, externalData, externalTcpData];

/** Where a development node keeps its data unless it is told otherwise. */
export function developmentDataOf(profile: ProfileName): string {
  return { development: mainData, 'development-external': externalData, 'development-external-tcp': externalTcpData }[
    profile
  ];
}
