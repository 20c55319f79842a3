/** Where the constants of spec execution and native live, and which tests look at them first. */

export interface Target {
  readonly file: string;
  /** Scopes or ids of test/mutation/constants.ts; undefined: all of the file. */
  readonly constants?: readonly string[];
  /** Id -> why it is no constant of a rule. */
  readonly except?: Readonly<Record<string, string>>;
  /** Id and step (`NAME+1`) -> why a unit makes no difference that anyone could see. */
  readonly equivalent?: Readonly<Record<string, string>>;
  /** Spec files, the likely first: these run first, then all of `ALL_SPECS`. */
  readonly specs: readonly string[];
}

const WORKED = ['workedL2Blocks', 'workedL1Blocks'].map((name) => `test/vm/${name}.unit.spec.ts`);
const vm = (...names: readonly string[]): string[] => names.map((name) => `test/vm/${name}.unit.spec.ts`);

/** What runs when the first choice found nothing. */
export const ALL_SPECS: readonly string[] = [
  'test/vm/**/*.unit.spec.ts',
  'test/producers/mempool.unit.spec.ts',
  'test/producers/sequencer.unit.spec.ts',
  'test/protocol/*.unit.spec.ts',
  'test/rpc/simulator.unit.spec.ts',
];

const COUNTS_BYTES = 'counts the bytes of the input one by one';

export const VM_TARGETS: readonly Target[] = [
  {
    file: 'src/vm/gasCosts.ts',
    except: {
      'calldataGas#0': COUNTS_BYTES,
      'calldataGas#1': COUNTS_BYTES,
      'calldataGas#2': COUNTS_BYTES,
      'calldataGas#3': COUNTS_BYTES,
      'calldataGas#4': COUNTS_BYTES,
    },
    equivalent: { 'MEMORY_TOTAL_LIMIT-1': 'sizes are multiples of 32' },
    specs: [
      ...vm('opcodeCosts', 'l2Transaction'),
      ...WORKED,
      ...vm('nativeRules', 'evmFlavour', 'constants', 'systemHooks'),
    ],
  },
  {
    file: 'src/vm/nativeCosts.ts',
    specs: [...WORKED, ...vm('opcodeCosts', 'constants', 'workedSeals', 'systemHooks', 'simulation')],
  },
  { file: 'src/vm/nativeBudget.ts', constants: ['U64_MAX', 'divideUp'], specs: vm('constants', 'workedL2Blocks') },
  { file: 'src/vm/blockLimits.ts', specs: vm('workedSeals') },
  { file: 'src/vm/blockExecution.ts', constants: ['PREVRANDAO', 'BLOB_BASE_FEE'], specs: vm('evmFlavour') },
  {
    file: 'src/vm/blockResult.ts',
    constants: ['MIX_HASH#0', 'MIX_HASH#1', 'MIX_HASH#2', 'blockOutput'],
    specs: vm('blockExecution'),
  },
  {
    file: 'src/vm/l1Transaction.ts',
    constants: [
      'U32_MAX',
      'U64_MAX',
      'U128_MAX',
      'U256_MAX',
      'BLOCK_GAS_LIMIT_MAX',
      'resultValue',
      'finish#2',
      'finish#3',
      'finish#4',
    ],
    equivalent: {
      'U64_MAX+1': 'no multiple of 88 is 2^64, and the gas limit is below 2^53 before its ergs are looked at',
      'U64_MAX-1': 'no multiple of 88 or of 256 is 2^64 - 1',
    },
    specs: vm('constants', 'l1Transaction', 'workedL1Blocks'),
  },
  {
    file: 'src/vm/l2Transaction.ts',
    constants: ['BLOCK_GAS_LIMIT_MAX', 'NONCE_MAX', 'U128', 'U256', 'ABI_LENGTH_MAX', 'padded', 'abiLength'],
    equivalent: {
      'ABI_LENGTH_MAX+1': 'lengths are multiples of 32',
      'abiLength#8+1': '66 bytes are padded to 96 as well',
    },
    specs: vm('l2Transaction', 'constants'),
  },
  {
    file: 'src/vm/stateAccess.ts',
    constants: ['BASE_GAS', 'COLD_GAS', 'COLD_PRECOMPILE_GAS'],
    specs: vm('opcodeCosts', 'workedL2Blocks', 'constants'),
  },
  { file: 'src/vm/pubdataCount.ts', constants: ['KEY_BYTES', 'MESSAGE_LENGTH_BYTES'], specs: WORKED },
  { file: 'src/vm/account.ts', constants: ['storedCodeLength'], specs: vm('constants', 'workedL2Blocks') },
  {
    file: 'src/vm/creates.ts',
    constants: [
      'NONCE_MAX',
      'CREATE2_PREFIX',
      'creationAddress',
      'saltedCreationAddress',
      'create#16',
      'create#17',
      'create#18',
      'beginCreation#4',
      'depositCode#1',
      'storeCodeCharges#0',
      'storeCodeCharges#1',
      'storeCodeCharges#2',
      'storeCodeCharges#3',
    ],
    specs: vm('constants', 'evmFlavour', 'opcodeCosts'),
  },
  { file: 'src/vm/calls.ts', constants: ['call#11', 'call#15'], specs: vm('constants', 'evmFlavour') },
  {
    file: 'src/vm/memoryOpcodes.ts',
    constants: [
      'TWO_64',
      'chargeCopy#1',
      'chargeCopy#2',
      'chargeCopy#3',
      'chargeCopy#4',
      'chargeCopy#5',
      'chargeCopy#6',
      'blockHash#0',
      'blockHash#1',
    ],
    equivalent: {
      'TWO_64+1': 'ergs are multiples of 256, and 3 + 3 x words is never 2^56',
      'TWO_64-1': 'ergs are multiples of 256',
      'blockHash#0-1': 'the ring has no entry for the block itself',
      'blockHash#1+1': 'the ring has no 257th entry',
      'chargeCopy#1-1': '2 + 3 x words reaches 2^56 at the same word; below, native or memory fails the frame first',
      'chargeCopy#5+1': 'the ergs leave 64 bits long before the size does',
      'chargeCopy#5-1': 'the ergs leave 64 bits long before the size does',
    },
    specs: vm('constants', 'evmFlavour', 'opcodeCosts'),
  },
  {
    file: 'src/vm/systemHooks.ts',
    constants: [
      'SELECTOR_BYTES',
      'WORD_BYTES',
      'ADDRESS_PADDING_BYTES',
      'sendToL1',
      'sendMessage#1',
      'withdraw',
      'withdrawWithMessage',
      'encodeBytesArgument',
      'setBytecodeDetails#0',
      'setBytecodeDetails#2',
      'setBytecodeDetails#5',
      'setBytecodeDetails#6',
    ],
    equivalent: { 'sendToL1#0-1': 'a single word of arguments has no room for a message of any length' },
    specs: vm('systemHooks', 'constants'),
  },
  {
    file: 'src/vm/hookAddresses.ts',
    constants: ['hookAt#1', 'hookAt#7', 'hookAt#8', 'hookAt#9'],
    specs: vm('systemHooks'),
  },
  { file: 'src/vm/simulation.ts', constants: ['L1_GAS_PER_PUBDATA'], specs: vm('simulation', 'constants') },
  {
    file: 'src/vm/precompiles/hashes.ts',
    constants: ['hashNative', 'sha256', 'ripemd160', 'identity'],
    specs: vm('precompiles/hashes'),
  },
  {
    file: 'src/vm/precompiles/bn254.ts',
    constants: ['bn254Add', 'bn254Mul', 'bn254Pairing', 'PAIR_BYTES'],
    specs: vm('precompiles/bn254'),
  },
  { file: 'src/vm/precompiles/ecrecover.ts', constants: ['ecrecover'], specs: vm('precompiles/ecrecover') },
  {
    file: 'src/vm/precompiles/modexp.ts',
    constants: [
      'MIN_GAS',
      'NATIVE_PER_GAS',
      'U64_END',
      'gasOf#0',
      'gasOf#1',
      'gasOf#5',
      'gasOf#7',
      'gasOf#8',
      'gasOf#9',
      'gasOf#11',
      'gasOf#12',
      'gasOf#13',
      'run#10',
      'run#11',
      'run#12',
    ],
    equivalent: {
      'U64_END-1': 'ergs are multiples of 256 and leave 64 bits before any length does',
      'gasOf#7-1': 'an exponent of 32 bytes has none behind the first 32',
    },
    specs: vm('precompiles/modexp'),
  },
  {
    file: 'src/vm/precompiles/index.ts',
    constants: ['BLAKE2F_INPUT_BYTES', 'POINT_EVALUATION_INPUT_BYTES'],
    specs: vm('precompiles/index'),
  },
  {
    file: 'src/vm/precompiles/precompile.ts',
    constants: ['ERGS_PER_GAS', 'words', 'FREE_FAILURE', 'stubPrecompile'],
    specs: vm('precompiles/hashes', 'precompiles/index', 'precompiles/modexp'),
  },
  {
    file: 'src/producers/poolChecks.ts',
    constants: [
      'MIN_FEE_PER_GAS',
      'DEFAULT_FEE_CAP',
      'MAX_INIT_CODE_BYTES',
      'TRANSFER_GAS',
      'CREATION_GAS',
      'INIT_CODE_WORD_GAS',
      'ZERO_BYTE_GAS',
      'NON_ZERO_BYTE_GAS',
      'ACCESS_LIST_ADDRESS_GAS',
      'ACCESS_LIST_KEY_GAS',
      'checkAdmission',
      'intrinsicGas#3',
      'outbids',
    ],
    specs: ['test/producers/mempool.unit.spec.ts'],
  },
  {
    file: 'src/producers/blockContextProvider.ts',
    constants: ['EXECUTION_VERSION', 'NATIVE_PRICE'],
    specs: ['test/producers/sequencer.unit.spec.ts'],
  },
  {
    file: 'src/protocol/transactionCodec.ts',
    constants: ['vmTransactionHash#12', 'vmTransactionHash#13', 'vmTransactionHash#14'],
    specs: ['test/protocol/transactionCodec.unit.spec.ts'],
  },
  {
    file: 'src/producers/mempool.ts',
    constants: ['DEFAULT_MAX_QUEUED_TRANSACTIONS', 'DEFAULT_MAX_QUEUED_SIZE_BYTES'],
    specs: ['test/producers/mempool.unit.spec.ts'],
  },
  {
    file: 'src/common/configTable.ts',
    constants: [
      'sequencer_block_time#2',
      'sequencer_max_transactions_in_block#2',
      'sequencer_block_gas_limit',
      'sequencer_block_pubdata_limit_bytes',
      'sequencer_block_size_limit#2',
    ],
    specs: ['test/common/config.unit.spec.ts'],
  },
  {
    file: 'src/vm/opcodes.ts',
    constants: ['gas', 'native', 'PUSH_NATIVE', 'STACK_ITEMS_MAX'],
    equivalent: {
      'INVALID.gas+1': 'it takes all gas of the frame',
      'INVALID.gas-1': 'it takes all gas of the frame',
    },
    specs: vm('opcodeCosts', 'evmFlavour', 'constants'),
  },
];
