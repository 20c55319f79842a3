/** What `--help` of a command ends with: `[arguments, what they do]`. */
export const EXAMPLES: Readonly<Record<string, readonly (readonly [args: string, what: string])[]>> = {
  start: [
    ['--profile development', 'a chain for trying out, with an L1 of its own'],
    ['--kafka-brokers b1:9092,b2:9092 --general-l1-rpc-url http://l1:8545', 'a main node on Kafka'],
  ],
  status: [
    ['', 'the node of this configuration; 75 when none runs'],
    ['--json', 'the same for machines'],
  ],
  rebuild: [
    ['repositories', 'one projection, from the journal'],
    ['state', 'state and journal, by executing the whole log'],
    ['all', 'everything'],
  ],
  verify: [
    ['', 'the log, the state and every projection'],
    ['log', 'the log alone: order, acceptance, checkpoint; executes nothing'],
    ['state --json', 'state and journal against the executed log, for machines'],
    ['repositories batches', 'two projections, from the journal'],
  ],
  digest: [['--json', 'to compare two nodes of one chain']],
  replay: [['1 100', 'execute blocks 1 to 100 again and compare']],
  doctor: [
    ['', 'with the options (environment, file, flags) that the node is started with'],
    ['--json', 'the same for machines; exit code 1 when a check failed'],
  ],
  create: [
    [
      '--kafka-brokers b1:9092 --general-l1-rpc-url http://l1:8545',
      'once for every chain; does nothing when it is there',
    ],
  ],
  deposit: [['--to 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --amount 1', 'one ether from L1']],
};
