/**
 * Command line: one file of src/commands per command, loaded when it is asked for. Exit codes: 0 done, 1 fix something,
 * 75 try again.
 */
import { Command, Option } from 'commander';
import { ConfigError, flagOptions } from './common/config.ts';
import { NodeError, errorText } from './common/errors.ts';
import { exitCodeOf } from './common/shutdown.ts';
import { keepCompiledCode } from './commands/compileCache.ts';
import type { GlobalOptions } from './commands/configuration.ts';
import { EXAMPLES } from './commands/examples.ts';
import { nodeVersion } from './commands/version.ts';

type Action = (
  options: GlobalOptions & { readonly json: boolean },
  args: readonly string[],
  own: Readonly<Record<string, unknown>>,
) => Promise<number>;

/** Adds a command that takes every option of the node, and some of its own. */
function nodeCommand(
  parent: Command,
  usage: string,
  description: string,
  action: Action,
  ownOptions: readonly Option[] = [],
): void {
  const command = parent.command(usage).description(description);
  for (const option of ownOptions) command.addOption(option);
  command.addOption(
    new Option('--profile <name>', 'defaults of a development node: development, development-external'),
  );
  command.addOption(new Option('--config <file>', 'JSON file of options'));
  command.addOption(new Option('--json', 'machine-readable output').default(false));
  for (const { flag, description: text, title } of flagOptions())
    command.addOption(new Option(flag, text).helpGroup(`${title}:`));
  command.showHelpAfterError('(add --help for the options)');
  command.addHelpText('after', () => examplesText(command));
  command.action(async (...parameters: unknown[]) => {
    const args = parameters
      .slice(0, -2)
      .flat()
      .filter((value): value is string => typeof value === 'string');
    const { profile, config, json, ...others } = command.opts<Record<string, unknown>>();
    const isOwn = ([name]: [string, unknown]): boolean => ownOptions.some((option) => option.attributeName() === name);
    const own = Object.fromEntries(Object.entries(others).filter(isOwn));
    const flags = Object.fromEntries(Object.entries(others).filter((entry) => !isOwn(entry)));
    process.exitCode = await action(
      {
        flags,
        json: json === true,
        ...(typeof profile === 'string' && { profile }),
        ...(typeof config === 'string' && { config }),
      },
      args,
      own,
    );
  });
}

/** With the names of the commands above it. */
function examplesText(command: Command): string {
  const examples = EXAMPLES[command.name()];
  if (examples === undefined) return '';
  const names: string[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) names.unshift(each.name());
  return `\nExamples:\n${examples.map(([args, what]) => `  ${[...names, args].join(' ').trimEnd()}\n      ${what}`).join('\n')}`;
}

keepCompiledCode();

const program = new Command('reprise')
  .description(
    'A ZKsync OS sequencer: producers decide and append to one ordered log, everything else is a projection of it.',
  )
  .version(nodeVersion)
  .showHelpAfterError('(add --help for the commands)');

nodeCommand(
  program,
  'start',
  'run a node',
  async (options, _args, { tcp }) =>
    (await import('./commands/start.ts')).start({ ...options, isFedOverTcp: tcp === true }),
  [new Option('--tcp', 'with `npm run start:external`: get the blocks over TCP instead of from the log')],
);
nodeCommand(
  program,
  'status',
  'what the running node says of itself; without one, what its data says',
  async (options) => (await import('./commands/status.ts')).status(options),
);
nodeCommand(
  program,
  'rebuild <names...>',
  'delete projections, `state` or `all`, and fill them again, with progress (the node must not run)',
  async (options, names) => (await import('./commands/rebuild.ts')).rebuild(options, names),
);
nodeCommand(
  program,
  'verify [names...]',
  'compare what this node keeps with what the log gives, key by key: log, state, projections; none: all (the node must not run)',
  async (options, names) => (await import('./commands/verify.ts')).verify(options, names),
);
nodeCommand(
  program,
  'digest',
  'hash of every key and value of state and projections (the node must not run)',
  async (options) => (await import('./commands/digest.ts')).digestStores(options),
);
nodeCommand(
  program,
  'replay <from> [to]',
  'execute stored blocks again and compare (the node must not run)',
  async (options, [from = '', to]) => (await import('./commands/replay.ts')).replay(options, from, to),
);
nodeCommand(
  program,
  'reproduce <dump>',
  'run the block of a dump again (the node must not run)',
  async (options, [dump = '']) => (await import('./commands/reproduce.ts')).reproduce(options, dump),
);
nodeCommand(
  program,
  'doctor',
  'would this node start and run well here? ports, disk, clock, log, L1, stores, keys, addons, limits',
  async (options) => (await import('./commands/doctor.ts')).doctor(options),
);
nodeCommand(program, 'reset', 'delete the data of the development nodes', async (options) =>
  (await import('./commands/reset.ts')).reset(options),
);
program
  .command('execute <files...>')
  .description('run blocks from JSON files that hold state, context and transactions (docs/execute.md)')
  .action(async (files: string[]) => {
    process.exitCode = await (await import('./commands/execute.ts')).execute(files);
  });
nodeCommand(
  program,
  'query [sql]',
  'ask the analytics database, while the node runs or not; questions only read',
  async (options, [sql], { list, named }) =>
    (await import('./commands/query.ts')).query(options, sql, {
      list: list === true,
      named: typeof named === 'string' ? named : undefined,
    }),
  [new Option('--list', 'the questions that have a name'), new Option('--named <name>', 'ask one of them')],
);
nodeCommand(
  program,
  'deposit',
  'send ether from L1 to an account on L2, and wait until it is there (environment deposit_private_key: the L1 account that pays; a development L1 needs none)',
  async (options, _args, { to, amount, gasLimit }) =>
    (await import('./commands/deposit.ts')).depositCommand(options, {
      to: String(to),
      amount: String(amount),
      gasLimit: typeof gasLimit === 'string' ? gasLimit : undefined,
    }),
  [
    new Option('--to <address>', 'account on L2').makeOptionMandatory(),
    new Option('--amount <ether>', 'what arrives, in ether').makeOptionMandatory(),
    new Option('--gas-limit <gas>', 'gas of the transaction on L2; 500000 without it'),
  ],
);
const l1 = program.command('l1').description('an L1 for development');
nodeCommand(
  l1,
  'deploy',
  'put the development contracts, this chain and a rich account onto an anvil (general_l1_rpc_url)',
  async (options) => (await import('./commands/deployL1.ts')).deployL1(options),
);
const topics = program.command('topics').description('the topic of the log on Kafka');
nodeCommand(topics, 'create', 'create the topic and its Genesis', async (options) =>
  (await import('./commands/topics.ts')).createTopic(options),
);
nodeCommand(topics, 'verify', 'compare the settings of the topic with what is required', async (options) =>
  (await import('./commands/topics.ts')).verifyTopic(options),
);

try {
  await program.parseAsync();
} catch (error) {
  const isExpected = error instanceof ConfigError || (error instanceof NodeError && error.kind !== 'invariant');
  process.stderr.write(
    `reprise: ${isExpected ? errorText(error) : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = exitCodeOf(error);
}
