/** The development L1 on anvil against the recorded behaviour of the real contracts (vectors settlement-*). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'mocha';
import {
  type Abi,
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  type Hex,
  decodeErrorResult,
  encodeFunctionData,
  keccak256,
  parseAbi,
  toHex as numberToHex,
} from 'viem';
import { compileFolder } from '../../contracts/compile.ts';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import { type DepositFees, depositGasPrice } from '../../src/l1/depositPrice.ts';
import { deposit } from '../../src/l1/deposit.ts';
import { type DeployedL1, developmentContract, feeParameters } from '../../src/l1/developmentL1.ts';
import { DIAMOND_ABI } from '../../src/l1/l1Abi.ts';
import { l1AddressToAlias } from '../../src/protocol/addressAlias.ts';
import { TrimmedTree } from '../../src/protocol/priorityTree.ts';
import { genesisStoredBatch, storedBatchHash } from '../../src/protocol/storedBatch.ts';
import { loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { type TestL1, deployTestL1, setCode, startTestL1 } from './anvilSetup.ts';

interface FeeVector {
  readonly pubdata_pricing_mode: number;
  readonly batch_overhead_l1_gas: number;
  readonly max_pubdata_per_batch: number;
  readonly max_l2_gas_per_batch: number;
  readonly priority_tx_max_pubdata: number;
  readonly minimal_l2_gas_price: number;
  readonly priority_tx_max_gas_limit: number;
  readonly multiplier_nominator: number;
  readonly multiplier_denominator: number;
}

interface PriceCase {
  readonly name: string;
  readonly input: {
    readonly fee_params: FeeVector;
    readonly l1_gas_price: string;
    readonly gas_per_pubdata: number;
    readonly l2_gas_limit: number;
  };
  readonly expected: { readonly l2_gas_price: string; readonly base_cost: string };
}

interface RequestCase {
  readonly name: string;
  readonly input: {
    readonly fee_params: FeeVector;
    readonly tx_gas_price: string;
    readonly tx_origin: Address;
    readonly addresses_with_code: readonly Address[];
    readonly block_timestamp: number;
    readonly earlier_requests: number;
    readonly request: Readonly<Record<string, string | readonly string[]>>;
  };
  readonly expected: {
    readonly error?: string;
    readonly canonical_tx_hash?: Hex;
    readonly event_topics?: readonly Hex[];
    readonly event_data?: Hex;
  };
}

function casesOf<T>(name: string): readonly T[] {
  const path = new URL(`../fixtures/vectors/settlement-${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { cases: T[] }).cases;
}

function feesOf(vector: FeeVector): DepositFees {
  return {
    pubdataMode: vector.pubdata_pricing_mode === 0 ? 'rollup' : 'validium',
    batchOverheadL1Gas: BigInt(vector.batch_overhead_l1_gas),
    maxPubdataPerBatch: BigInt(vector.max_pubdata_per_batch),
    maxL2GasPerBatch: BigInt(vector.max_l2_gas_per_batch),
    priorityTxMaxPubdata: BigInt(vector.priority_tx_max_pubdata),
    minimalL2GasPrice: BigInt(vector.minimal_l2_gas_price),
    priorityTxMaxGasLimit: BigInt(vector.priority_tx_max_gas_limit),
    multiplierNominator: BigInt(vector.multiplier_nominator),
    multiplierDenominator: BigInt(vector.multiplier_denominator),
  };
}

const CHAIN_ID = 270n;
const TIMESTAMP = 1_760_000_000;
const chainAbi = developmentContract('ZKChain').abi;
const hubAbi = developmentContract('Bridgehub').abi;

/** Name of the custom error in what a call threw, whichever contract it came from. */
function errorName(error: unknown, abi: Abi = [...chainAbi, ...hubAbi]): string {
  const revert = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  if (!(revert instanceof ContractFunctionRevertedError) || revert.raw === undefined) throw error;
  return decodeErrorResult({ abi, data: revert.raw }).errorName;
}

describe('development L1', function () {
  this.timeout(60_000);
  let l1: TestL1;
  let deployed: DeployedL1;

  before(async () => {
    l1 = await startTestL1(['--timestamp', String(TIMESTAMP)]);
    deployed = await deployTestL1(l1);
  });

  after(async () => {
    await l1.anvil.stop();
  });

  /** Undoes everything afterwards. */
  async function undone(run: () => Promise<void>): Promise<void> {
    const id = await l1.test.snapshot();
    try {
      await run();
    } finally {
      await l1.test.revert({ id });
    }
  }

  async function admin(functionName: string, args: readonly unknown[], address = deployed.diamond): Promise<void> {
    const hash = await l1.wallet.writeContract({ address, abi: chainAbi, functionName, args });
    const receipt = await l1.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
    assert.equal(receipt.status, 'success', functionName);
  }

  async function setFees(fees: DepositFees): Promise<void> {
    const parameters = feeParameters(fees);
    await admin('setPubdataPricingMode', [parameters.pubdataPricingMode]);
    await admin('changeFeeParams', [parameters]);
    await admin('setTokenMultiplier', [fees.multiplierNominator, fees.multiplierDenominator]);
    await admin('setPriorityTxMaxGasLimit', [fees.priorityTxMaxGasLimit]);
  }

  const read = (functionName: string, args: readonly unknown[] = []): Promise<unknown> =>
    l1.client.readContract({ address: deployed.diamond, abi: chainAbi, functionName, args });

  describe('price of a deposit (settlement-deposit-price)', () => {
    for (const { name, input, expected } of casesOf<PriceCase>('deposit-price')) {
      it(name, () =>
        undone(async () => {
          const fees = feesOf(input.fee_params);
          await setFees(fees);
          const { l1_gas_price: gasPrice, gas_per_pubdata: perPubdata, l2_gas_limit: gasLimit } = input;
          const args = [BigInt(gasPrice), BigInt(gasLimit), BigInt(perPubdata)];
          assert.equal(await read('l2TransactionBaseCost', args), BigInt(expected.base_cost));
          const throughHub = await l1.client.readContract({
            address: deployed.bridgehub,
            abi: hubAbi,
            functionName: 'l2TransactionBaseCost',
            args: [CHAIN_ID, ...args],
          });
          assert.equal(throughHub, BigInt(expected.base_cost));
          assert.equal(depositGasPrice(fees, BigInt(gasPrice), BigInt(perPubdata)), BigInt(expected.l2_gas_price));
        }),
      );
    }
  });

  describe('priority requests (settlement-deposit-request)', () => {
    const forwarder = compileFolder('test').get('CallForwarder');
    assert.ok(forwarder);
    const forwarderAbi = parseAbi(['function forward(address target, bytes data) payable returns (bytes)']);

    /** As the Bridgehub would, from the origin of the case. */
    async function request(testCase: RequestCase, gasPrice: bigint) {
      const { request: fields, tx_origin: origin } = testCase.input;
      const call = encodeFunctionData({
        abi: chainAbi,
        functionName: 'bridgehubRequestL2Transaction',
        args: [fields],
      });
      const transaction = {
        account: origin,
        address: deployed.bridgehub,
        abi: forwarderAbi,
        functionName: 'forward',
        args: [deployed.diamond, call],
        gasPrice,
      } as const;
      await l1.client.simulateContract(transaction);
      return encodeFunctionData(transaction);
    }

    for (const testCase of casesOf<RequestCase>('deposit-request')) {
      it(testCase.name, () =>
        undone(async () => {
          const { input, expected } = testCase;
          await setFees(feesOf(input.fee_params));
          await setCode(l1, deployed.bridgehub, forwarder.runtimeCode);
          for (const address of input.addresses_with_code) await setCode(l1, address, Uint8Array.of(0));
          await l1.test.impersonateAccount({ address: input.tx_origin });
          await l1.test.setBalance({ address: input.tx_origin, value: 10n ** 20n });
          const gasPrice = BigInt(input.tx_gas_price);
          const send = async (timestamp?: number) => {
            await l1.test.setNextBlockBaseFeePerGas({ baseFeePerGas: 0n });
            const data = await request(testCase, gasPrice);
            if (timestamp !== undefined) await l1.test.setNextBlockTimestamp({ timestamp: BigInt(timestamp) });
            await l1.test.setNextBlockBaseFeePerGas({ baseFeePerGas: 0n });
            const hash = await l1.client.request({
              method: 'eth_sendTransaction' as never,
              params: [
                {
                  from: input.tx_origin,
                  to: deployed.bridgehub,
                  data,
                  gasPrice: numberToHex(gasPrice),
                  gas: numberToHex(10_000_000),
                },
              ] as never,
            });
            return l1.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
          };
          if (expected.error !== undefined) {
            await assert.rejects(send(), (error) => errorName(error) === expected.error);
            return;
          }
          for (let i = 0; i < input.earlier_requests; i++) await send();
          const receipt = await send(input.block_timestamp);
          assert.equal(receipt.status, 'success');
          const [event, idEvent] = receipt.logs;
          assert.deepEqual(event?.topics, expected.event_topics);
          assert.equal(event?.data, expected.event_data);
          assert.equal(idEvent?.topics[2], expected.canonical_tx_hash);
          assert.equal(BigInt(idEvent?.topics[1] ?? 0), BigInt(input.earlier_requests));
        }),
      );
    }

    it('refuse a caller that is not the Bridgehub', async () => {
      const call = l1.client.simulateContract({
        account: l1.wallet.account,
        address: deployed.diamond,
        abi: chainAbi,
        functionName: 'bridgehubRequestL2Transaction',
        args: [casesOf<RequestCase>('deposit-request')[0]?.input.request],
      });
      await assert.rejects(call, (error) => errorName(error) === 'Unauthorized');
    });
  });

  describe('Bridgehub', () => {
    const direct = {
      chainId: CHAIN_ID,
      mintValue: 10n ** 18n,
      l2Contract: '0x3333333333333333333333333333333333333333',
      l2Value: 5n,
      l2Calldata: '0x',
      l2GasLimit: 500_000n,
      l2GasPerPubdataByteLimit: 800n,
      factoryDeps: [],
      refundRecipient: '0x0000000000000000000000000000000000000000',
    };

    const simulate = (functionName: string, request: object, value: bigint) =>
      l1.client.simulateContract({
        account: l1.wallet.account,
        address: deployed.bridgehub,
        abi: hubAbi,
        functionName,
        args: [request],
        value,
      });

    const refuses = (name: string, functionName: string, request: object, value = direct.mintValue) =>
      assert.rejects(simulate(functionName, request, value), (error) => errorName(error) === name, name);

    it('takes exactly what is to be minted, for chains it knows', async () => {
      await simulate('requestL2TransactionDirect', direct, direct.mintValue);
      await refuses('MsgValueMismatch', 'requestL2TransactionDirect', direct, direct.mintValue - 1n);
      await refuses('ZKChainNotRegistered', 'requestL2TransactionDirect', { ...direct, chainId: 271n });
      await refuses('MsgValueTooLow', 'requestL2TransactionDirect', { ...direct, mintValue: 5n }, 5n);
      await refuses('ValidateTxnNotEnoughGas', 'requestL2TransactionDirect', { ...direct, l2GasLimit: 199_999n });
      const factoryDeps = Array.from({ length: 65 }, () => '0x00');
      await refuses('TooManyFactoryDeps', 'requestL2TransactionDirect', { ...direct, factoryDeps });
    });

    it('locks the deposit for the chain, and the priority tree grows as the node computes it', () =>
      undone(async () => {
        const tree = new TrimmedTree();
        let locked = 0n;
        const router = (await l1.client.readContract({
          address: deployed.bridgehub,
          abi: hubAbi,
          functionName: 'assetRouter',
        })) as Address;
        for (let id = 0n; id < 9n; id++) {
          const { l2Hash, priorityId, mintValue } = await deposit(l1.client, l1.wallet, {
            bridgehub: deployed.bridgehub,
            chainId: CHAIN_ID,
            to: '0x3333333333333333333333333333333333333333',
            value: id,
          });
          assert.equal(priorityId, id);
          locked += mintValue;
          tree.push(fromHex(l2Hash));
          assert.equal(await read('getPriorityTreeRoot'), toHex(tree.root));
          assert.equal(await read('getTotalPriorityTxs'), id + 1n);
        }
        assert.equal(await l1.client.getBalance({ address: router }), locked);
      }));

    it('lets another bridge write the call, under its own aliased address', () =>
      undone(async () => {
        const bridge = compileFolder('test').get('SecondBridge');
        assert.ok(bridge);
        const magic = numberToHex(BigInt(keccak256(new TextEncoder().encode('TWO_BRIDGES_MAGIC_VALUE'))) - 1n, {
          size: 32,
        });
        const abi = bridge.abi as Abi; // what the compiler writes is one
        const deployBridge = async (magicValue: Hex): Promise<Address> => {
          const hash = await l1.wallet.deployContract({ abi, bytecode: toHex(bridge.initCode), args: [magicValue] });
          const { contractAddress } = await l1.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
          assert.ok(contractAddress);
          return contractAddress;
        };
        const good = await deployBridge(magic);
        const request = {
          chainId: CHAIN_ID,
          mintValue: 10n ** 18n,
          l2Value: 0n,
          l2GasLimit: 500_000n,
          l2GasPerPubdataByteLimit: 800n,
          refundRecipient: '0x0000000000000000000000000000000000000000',
          secondBridgeAddress: good,
          secondBridgeValue: 7n,
          secondBridgeCalldata: '0xabcdef',
        };
        const value = request.mintValue + 7n;
        const name = 'requestL2TransactionTwoBridges';
        await refuses('MsgValueMismatch', name, request, value - 1n);
        await refuses(
          'AddressTooLow',
          name,
          { ...request, secondBridgeAddress: numberToHex(0xffff, { size: 20 }) },
          value,
        );
        const bad = await deployBridge(numberToHex(1, { size: 32 }));
        await refuses('WrongMagicValue', name, { ...request, secondBridgeAddress: bad }, value);

        const hash = await l1.wallet.writeContract({
          address: deployed.bridgehub,
          abi: hubAbi,
          functionName: name,
          args: [request],
          value,
        });
        await l1.client.waitForTransactionReceipt({ hash, pollingInterval: 10 });
        const [event] = await l1.client.getContractEvents({
          address: deployed.diamond,
          abi: DIAMOND_ABI,
          eventName: 'NewPriorityRequest',
          strict: true,
        });
        assert.ok(event);
        const { transaction, txHash } = event.args;
        assert.equal(numberToHex(transaction.from, { size: 20 }), toHex(l1AddressToAlias(fromHex(good))));
        assert.deepEqual([transaction.data, transaction.reserved[0]], ['0xabcdef', request.mintValue]);
        assert.equal(BigInt(l1.wallet.account.address), transaction.reserved[1], 'the refund goes to who asked');
        const confirmed = await l1.client.readContract({ address: good, abi, functionName: 'confirmedHash' });
        assert.equal(confirmed, txHash);
        assert.equal(await l1.client.getBalance({ address: good }), 7n);
      }));
  });

  it('begins with batch 0, a pending upgrade and one event', async () => {
    const { input } = loadDevelopmentGenesis();
    assert.equal(await read('storedBatchHash', [0n]), toHex(storedBatchHash(genesisStoredBatch(input.genesisRoot))));
    const events = await l1.client.getContractEvents({
      address: deployed.diamond,
      abi: DIAMOND_ABI,
      eventName: 'GenesisUpgrade',
      fromBlock: 0n,
      strict: true,
    });
    assert.equal(events.length, 1);
    assert.equal(events[0]?.args.protocolVersion, 124_554_051_584n);
    assert.notEqual(await read('getL2SystemContractsUpgradeTxHash'), numberToHex(0, { size: 32 }));
    assert.equal(await read('getPriorityTreeRoot'), numberToHex(0, { size: 32 }));
  });

  it('does for nobody what its owner, its admin or another contract alone may do', async () => {
    const stranger = '0x00000000000000000000000000000000deadbeef';
    const cases: [string, Address, Abi, string, readonly unknown[]][] = [
      [
        'Unauthorized',
        deployed.diamond,
        chainAbi,
        'changeFeeParams',
        [feeParameters(feesOf(casesOf<PriceCase>('deposit-price')[0]!.input.fee_params))],
      ],
      ['Unauthorized', deployed.diamond, chainAbi, 'setTokenMultiplier', [1n, 1n]],
      ['Unauthorized', deployed.bridgehub, hubAbi, 'registerChain', [5n, stranger, numberToHex(1, { size: 32 })]],
      ['Unauthorized', deployed.bridgehub, hubAbi, 'addChainTypeManager', [stranger]],
      ['Unauthorized', deployed.bridgehub, hubAbi, 'setAddresses', [stranger, stranger]],
      [
        'RoleAccessDenied',
        deployed.validatorTimelock,
        developmentContract('ValidatorTimelock').abi,
        'grantRole',
        [deployed.diamond, numberToHex(1, { size: 32 }), stranger],
      ],
    ];
    for (const [name, address, abi, functionName, args] of cases) {
      const call = l1.client.simulateContract({ account: stranger, address, abi, functionName, args });
      await assert.rejects(call, (error) => errorName(error, abi) === name, functionName);
    }
  });
});
